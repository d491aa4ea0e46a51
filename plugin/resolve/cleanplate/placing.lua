-- Puts clean media into the timeline: as a take, else on a track above, else in a new timeline; read back, and undone
-- when not as meant.
-- A take is never finalised and media never replaced in the pool: the original stays one choice away.
local api = require("cleanplate.api")
local media = require("cleanplate.media")
local rebuilding = require("cleanplate.rebuilding")

local placing = {}

local MARKER_COLOUR = "Cyan"
local MARKER_TRIES = 12
local VIDEO_ONLY = 1

-- Runs `work(undo)`; when it fails, what it put into undo is run, last first, and the failure goes on.
local function undone_on_failure(work)
    local undo = {}
    local fine, raised = pcall(work, undo)
    if fine then
        return raised
    end
    for index = #undo, 1, -1 do
        local undone, why = pcall(undo[index])
        if not undone then
            error({
                sentence = api.sentence(raised) .. "; and it could not be undone (" .. api.sentence(why) .. "): use Edit > Undo",
                stays = true,
            })
        end
    end
    error(raised, 0)
end

local function check_layout(desk, before)
    return function()
        if api.layout(desk) ~= before then
            api.fail("clips do not lie where they lay before")
        end
    end
end

-- The order: item, facts (its getters' answers when it was announced), placement.
local function is_backwards(order)
    local told = order.facts.item
    local first, last = told.source_start_seconds or told.source_start_frame, told.source_end_seconds or told.source_end_frame
    return first ~= nil and last ~= nil and first > last
end

-- The clean media's lowest frame that is shown and one past the highest.
local function source_bounds(order)
    local first, count = order.placement.start_frame, order.placement.frame_count
    local lowest = is_backwards(order) and first - count + 1 or first
    return lowest, lowest + count
end

local function is_retimed(order)
    local told = order.facts.item
    if told.speed_percent and told.speed_percent ~= 100 then
        return true
    end
    local media_rate = tonumber(told.media_properties.FPS)
    local rate = tonumber(order.facts.timeline.frame_rate:match("^[%d%.]+"))
    local shown = (order.placement.record_frame_count - 1) * media_rate / rate + 1
    return is_backwards(order) or math.abs(order.placement.frame_count - shown) >= 1
end

-- Reads back what a clip shows. The frame getter may be one low; the offset is exact where nothing is retimed.
local function check_shown(order, item)
    local placement = order.placement
    local shown = api.must(item, "GetMediaPoolItem")
    if not api.shows_file(shown, placement.path) then
        api.fail("Resolve does not show " .. placement.path .. ", which was placed")
    end
    local frame, last = api.ask(item, "GetSourceStartFrame"), api.ask(item, "GetSourceEndFrame")
    local wanted = placement.start_frame
    local above = is_backwards(order) and 1 or 0
    if frame and (frame < wanted - 1 or frame > wanted + above) then
        api.fail("Resolve shows the clean media from frame " .. frame .. " where " .. wanted .. " was meant")
    end
    if frame and last and math.abs(math.abs(last - frame) - placement.frame_count) > 2 then
        api.fail("Resolve shows " .. math.abs(last - frame) .. " frames of the clean media, of " .. placement.frame_count)
    end
    local offset = api.ask(item, "GetLeftOffset")
    if placement.frame_count == placement.record_frame_count and not is_retimed(order) and offset and offset ~= wanted then
        api.fail("Resolve shows the clean media from frame " .. offset .. " where " .. wanted .. " was meant")
    end
end

local function take_index(item, clip)
    local wanted, found = api.id(clip), nil
    for index = 1, api.ask(item, "GetTakesCount") or 0 do
        local told = api.ask(item, "GetTakeByIndex", index)
        if type(told) == "table" and told.mediaPoolItem and api.id(told.mediaPoolItem) == wanted then
            found = index
        end
    end
    return found
end

local function select_take(item, index)
    api.must(item, "SelectTakeByIndex", nil, index)
    if api.ask(item, "GetSelectedTakeIndex") ~= index then
        api.fail("Resolve said that take " .. index .. " was selected, but shows another; try again")
    end
end

local function show_take(desk, order, clip, first, last, shown)
    local item, before = order.item, api.layout(desk)
    local count = api.ask(item, "GetTakesCount") or 0
    api.must(item, "AddTake", nil, clip, first, last)
    local index = take_index(item, clip)
    if not index or (api.ask(item, "GetTakesCount") or 0) <= count then
        api.fail("Resolve said that AddTake was done, but the clip has no such take; try again")
    end
    undone_on_failure(function(undo)
        undo[1] = function()
            if api.ask(item, "GetSelectedTakeIndex") ~= shown then
                select_take(item, shown)
            end
            api.must(item, "DeleteTakeByIndex", nil, index)
        end
        select_take(item, index)
        if api.layout(desk) ~= before then
            api.fail("Resolve changed the length of the clip, or moved others, with the take")
        end
        check_shown(order, item)
    end)
end

local function place_as_take(desk, order)
    local before = api.layout(desk)
    local shown = api.ask(order.item, "GetSelectedTakeIndex") or 0
    shown = shown > 0 and shown or 1
    undone_on_failure(function(undo)
        undo[1] = check_layout(desk, before)
        local clip = media.take_in(desk, order.item, order.placement, undo)
        local first, stop = source_bounds(order)
        local last_error
        -- Whether an end frame is part of a take is not written down, and has changed for clips once.
        for _, last in ipairs({ stop, stop - 1, stop + 1 }) do
            local fine, raised = pcall(show_take, desk, order, clip, first, last, shown)
            if fine then
                return
            elseif type(raised) == "table" and raised.stays then
                error(raised, 0)
            end
            last_error = raised
        end
        error(last_error, 0)
    end)
end

-- Deletes items and sees that they are gone; Resolve does it on the Edit page, and not always at once.
local function delete_items(desk, items)
    local page = api.ask(desk.resolve, "GetCurrentPage")
    local function all_gone()
        for _, item in ipairs(items) do
            if api.find_item(desk, item.id) then
                return false
            end
        end
        return true
    end
    local objects = {}
    for index, item in ipairs(items) do
        objects[index] = item.object
    end
    for attempt = 1, 3 do
        if attempt > 1 and page ~= "edit" then
            api.ask(desk.resolve, "OpenPage", "edit")
        end
        api.ask(desk.timeline, "DeleteClips", objects, false)
        if all_gone() then
            break
        end
    end
    if page and page ~= "edit" then
        api.ask(desk.resolve, "OpenPage", page)
    end
    if not all_gone() then
        api.fail("Resolve refused DeleteClips; " .. api.READ_ONLY)
    end
end

local function is_free(desk, index, start, stop)
    for _, item in ipairs(api.items(desk, "video", index)) do
        local first, last = api.bounds(item)
        if first < stop and start < last then
            return false
        end
    end
    return true
end

-- A track of our own above the clip, free where the media goes: Resolve lets the earlier clip win silently.
local function free_track(desk, order, start, undo)
    local stop = start + order.placement.record_frame_count
    local count = api.track_count(desk, "video")
    for index = order.facts.item.track_index + 1, count do
        local is_own = api.ask(desk.timeline, "GetTrackName", "video", index) == media.BIN_NAME
        local is_locked = api.ask(desk.timeline, "GetIsTrackLocked", "video", index)
        if is_own and not is_locked and is_free(desk, index, start, stop) then
            return index
        end
    end
    api.must(desk.timeline, "AddTrack", nil, "video")
    local index = api.track_count(desk, "video")
    if index ~= count + 1 then
        api.fail("Resolve said that AddTrack was done, but there are " .. index .. " video tracks; try again")
    end
    undo[#undo + 1] = function()
        api.must(desk.timeline, "DeleteTrack", nil, "video", index)
    end
    api.must(desk.timeline, "SetTrackName", nil, "video", index, media.BIN_NAME)
    return index
end

local function new_items(desk, track, known)
    local found = {}
    for _, item in ipairs(api.items(desk, "video", track)) do
        if not known[api.id(item)] then
            found[#found + 1] = { id = api.id(item), object = item }
        end
    end
    return found
end

-- Appends with the end frame that gives the meant length: it is included in Resolve 18 and not from 19 on.
local function lay(desk, order, clip, track, start, undo)
    local first, stop = source_bounds(order)
    local wanted = order.placement.record_frame_count
    for _, last in ipairs({ stop, stop - 1, stop + 1 }) do
        local known = {}
        for _, item in ipairs(api.items(desk, "video", track)) do
            known[api.id(item)] = true
        end
        api.must(desk.pool, "AppendToTimeline", nil, { {
            mediaPoolItem = clip, startFrame = first, endFrame = last, mediaType = VIDEO_ONLY, trackIndex = track,
            recordFrame = start,
        } })
        -- What came of it is read from the track, since the answer may hold dead items.
        local new = new_items(desk, track, known)
        if #new == 1 then
            local from, to = api.bounds(new[1].object)
            if from == start and to == start + wanted then
                undo[#undo + 1] = function()
                    delete_items(desk, new)
                end
                return new[1]
            end
        end
        if #new > 0 then
            delete_items(desk, new)
        end
    end
    api.fail("Resolve laid nothing of " .. wanted .. " frames on track " .. track)
end

local function place_above(desk, order)
    if is_retimed(order) then
        api.fail("the clip is retimed, and Resolve cannot be asked to lay media on another track at that speed")
    end
    local before = api.layout(desk)
    return undone_on_failure(function(undo)
        undo[1] = check_layout(desk, before)
        local clip = media.take_in(desk, order.item, order.placement, undo)
        if order.placement.delivery == "DELIVERY_PATCH" then
            media.set_property(clip, "Alpha mode", "Straight")
        end
        local start = api.bounds(order.item) + order.placement.record_offset
        local track = free_track(desk, order, start, undo)
        local laid = lay(desk, order, clip, track, start, undo)
        if api.layout(desk, laid.id) ~= before then
            api.fail("Resolve moved other clips when media was laid on a track above")
        end
        check_shown(order, laid.object)
        if order.placement.delivery == "DELIVERY_MATTE" then
            api.must(laid.object, "SetClipEnabled", nil, false)
        end
        return track
    end)
end

local function place_anew(desk, order)
    if is_backwards(order) then
        api.fail("how Resolve writes a clip that plays backwards is not known")
    end
    return undone_on_failure(function(undo)
        local clip = media.take_in(desk, order.item, order.placement, undo)
        return rebuilding.rebuild(desk, order, clip, check_shown)
    end)
end

-- Sets a marker on the timeline that says what was done; false when every frame near has one already.
local function mark(desk, order)
    local told = order.placement
    local start = order.facts.item.start - order.facts.timeline.start_frame + told.record_offset
    for offset = 0, math.min(MARKER_TRIES, told.record_frame_count) - 1 do
        if
            api.ask(
                desk.timeline, "AddMarker", start + offset, MARKER_COLOUR, told.marker_name, told.marker_note, 1,
                told.marker_data
            )
        then
            return true
        end
    end
    return false
end

local function name_of(path)
    return path:match("[^/\\]+$") or path
end

-- Places what the gateway settled; gives one sentence.
function placing.place(desk, order)
    local placement, clip_name = order.placement, order.facts.item.name
    local refused, done = {}, nil
    local is_overlay = placement.delivery == "DELIVERY_PATCH" or placement.delivery == "DELIVERY_MATTE"
    local function try(name, way)
        local fine, answer = pcall(way, desk, order)
        if not fine and type(answer) == "table" and answer.stays then
            error(answer, 0)
        elseif not fine then
            refused[#refused + 1] = name .. ": " .. api.sentence(answer)
        end
        return fine, answer
    end
    local is_whole, fine, answer = placement.whole_clip and not is_overlay, false, nil
    if is_whole and try("as a take", place_as_take) then
        done = "clip '" .. clip_name .. "' shows " .. name_of(placement.path) .. " as a take; its take selector leads back"
    end
    if not done then
        fine, answer = try("on a track above", place_above)
        done = fine and name_of(placement.path) .. " lies on video track " .. answer .. " above clip '" .. clip_name
            .. "'; delete it there to go back"
    end
    if not done and is_whole then
        fine, answer = try("in a new timeline", place_anew)
        done = fine and name_of(placement.path) .. " is in the new timeline '" .. answer .. "'; this one stays as it was"
    end
    if not done then
        api.fail(
            placement.path .. " could not be placed, and nothing was changed (" .. table.concat(refused, "; ")
                .. "); import it by hand, its timecode is that of the frames it replaces"
        )
    end
    return mark(desk, order) and done or done .. "; no marker could be set, its frames have some already"
end

-- Shows the original again in the clip under the playhead; gives one sentence.
function placing.restore(desk)
    local item = api.must(desk.timeline, "GetCurrentVideoItem", "move the playhead onto a clip")
    local name = tostring(api.ask(item, "GetName"))
    local clip = api.ask(item, "GetMediaPoolItem")
    if not clip or not media.is_ours(desk, clip) then
        api.fail("clip '" .. name .. "' shows no take of Cleanplate; move the playhead onto one that does")
    end
    local count = api.ask(item, "GetTakesCount") or 0
    if count == 0 then
        delete_items(desk, { { id = api.id(item), object = item } })
        return "'" .. name .. "' was taken off the track above; it stays in the media pool"
    end
    local shown, before = api.ask(item, "GetSelectedTakeIndex"), api.layout(desk)
    for index = 1, count do
        local told = api.ask(item, "GetTakeByIndex", index)
        if type(told) == "table" and told.mediaPoolItem and not media.is_ours(desk, told.mediaPoolItem) then
            select_take(item, index)
            if api.layout(desk) ~= before then
                select_take(item, shown)
                api.fail("the original take of clip '" .. name .. "' has another length; choose it in the take selector")
            end
            return "clip '" .. name .. "' shows its original again; Cleanplate's take stays in the take selector"
        end
    end
    return api.fail("clip '" .. name .. "' has takes of Cleanplate alone; lay the original over it")
end

return placing
