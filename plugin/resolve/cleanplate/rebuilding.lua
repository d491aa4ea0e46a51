-- The last way: the timeline once more, beside the old one, by OTIO out and in, with one clip's media exchanged.
-- The clean media carries the timecode of the frames that it replaces, and Resolve counts a clip's frames in its OTIO from
-- midnight: so the clip stays as it is, with cuts and speed, and its reference alone is another.
local api = require("cleanplate.api")
local files = require("cleanplate.files")
local json = require("cleanplate.json")

local rebuilding = {}

local ENDING = "_cleanplate_resolve.otio"

local function is_kind(object, name)
    return type(object) == "table" and tostring(object.OTIO_SCHEMA):match("^" .. name .. "%.%d+$") ~= nil
end

local function video_track(document, index)
    local tracks = is_kind(document, "Timeline") and document.tracks.children or {}
    local count = 0
    for _, track in ipairs(tracks) do
        if track.kind == "Video" then
            count = count + 1
            if count == index then
                return track
            end
        end
    end
    return api.fail("the timeline that Resolve exports has no video track " .. index)
end

-- Record frames that an element fills; a transition fills none.
local function length_of(element, rate)
    if is_kind(element, "Transition") then
        return 0
    end
    local range = element.source_range
    if type(range) ~= "table" or not range.duration then
        return api.fail("the timeline that Resolve exports has a nested clip before this one")
    end
    return math.floor(range.duration.value * rate / range.duration.rate + 0.5)
end

local function find_clip(document, order)
    local told = order.facts.item
    local rate = tonumber(order.facts.timeline.frame_rate:match("^[%d%.]+"))
    local at, wanted = 0, told.start - order.facts.timeline.start_frame
    for _, element in ipairs(video_track(document, told.track_index).children) do
        local length = length_of(element, rate)
        if is_kind(element, "Clip") and at == wanted and length == told.duration then
            return element
        end
        at = at + length
    end
    return api.fail("the timeline that Resolve exports has no clip '" .. told.name .. "' at its place")
end

-- Lets the clip show the clean media: its reference begins as many frames before the clip's start as the media does.
local function exchange(document, order, frame_count)
    local clip = find_clip(document, order)
    local old = (clip.media_references or {}).DEFAULT_MEDIA
    if not is_kind(old, "ExternalReference") or type(old.available_range) ~= "table" then
        api.fail("the clip '" .. order.facts.item.name .. "' has no file in the timeline that Resolve exports")
    end
    if api.plain_path(old.target_url) ~= api.plain_path(order.facts.item.media_properties["File Path"]) then
        api.fail("the timeline that Resolve exports has " .. tostring(old.target_url) .. " in the clip's place")
    end
    local start, available = clip.source_range.start_time, old.available_range
    if start.rate ~= available.start_time.rate then
        api.fail("the timeline that Resolve exports counts the clip and its file at two rates")
    end
    local name = order.placement.path:match("[^/\\]+$")
    old.name, old.target_url = name, order.placement.path
    available.start_time.value = start.value - order.placement.start_frame
    available.duration.value = frame_count
end

local function new_name(desk)
    local known, count = {}, api.ask(desk.project, "GetTimelineCount") or 0
    for index = 1, count do
        known[tostring(api.ask(api.must(desk.project, "GetTimelineByIndex", nil, index), "GetName"))] = true
    end
    local base = tostring(api.ask(desk.timeline, "GetName")) .. " Cleanplate "
    local number = 1
    while known[base .. number] do
        number = number + 1
    end
    return base .. number
end

-- Importing a timeline may open it; the person's own is shown again.
local function show_own(desk)
    local current = api.ask(desk.project, "GetCurrentTimeline")
    if not current or api.id(current) ~= api.id(desk.timeline) then
        api.must(desk.project, "SetCurrentTimeline", nil, desk.timeline)
    end
end

local function lost_count(desk)
    local count = 0
    api.each_item(desk, function(item, kind)
        local clip = kind == "video" and api.ask(item, "GetMediaPoolItem")
        local status = clip and tostring(api.ask(clip, "GetClipProperty", "Online Status")):lower()
        if kind == "video" and (not clip or status == "offline") then
            count = count + 1
        end
        return nil
    end)
    return count
end

local function check(desk, made, order, check_shown)
    local new = { resolve = desk.resolve, project = desk.project, pool = desk.pool, timeline = made }
    local lost = lost_count(new) - lost_count(desk)
    if lost > 0 then
        api.fail(lost .. " of its clips came without their media")
    end
    local start = api.ask(made, "GetStartFrame") + order.facts.item.start - order.facts.timeline.start_frame
    local item = api.each_item(new, function(each, kind)
        local from, to = api.bounds(each)
        local is_there = kind == "video" and from == start and to == start + order.facts.item.duration
        local clip = is_there and api.ask(each, "GetMediaPoolItem")
        return clip and api.shows_file(clip, order.placement.path) and each or nil
    end)
    if not item then
        api.fail("it does not show " .. order.placement.path .. " in the clip's place")
    end
    check_shown(order, item)
end

local function write_changed(desk, order, clip, path)
    api.must(desk.timeline, "Export", nil, path, desk.resolve.EXPORT_OTIO, desk.resolve.EXPORT_NONE)
    local frame_count = tonumber((api.ask(clip, "GetClipProperty", "Frames")))
    local document, why = json.decode(files.read(path) or "", true)
    if not document or not frame_count then
        api.fail("the timeline that Resolve exports cannot be read (" .. tostring(why or "no length of the media") .. ")")
    end
    exchange(document, order, frame_count)
    if not files.write(path, json.encode(document)) then
        api.fail(path .. " cannot be written; make room there")
    end
end

-- Builds the new timeline; gives its name. clip: the clean media in the pool; check_shown: reads an item back.
function rebuilding.rebuild(desk, order, clip, check_shown)
    local path = order.placement.path:gsub("%.[^./\\]*$", "") .. ENDING
    local fine, raised = pcall(function()
        write_changed(desk, order, clip, path)
        local name, told = new_name(desk), {}
        -- Whether Resolve links the pool's clips or imports them again differs between versions.
        for _, imports in ipairs({ true, false }) do
            local made = api.ask(desk.pool, "ImportTimelineFromFile", path, {
                timelineName = name, importSourceClips = imports,
                sourceClipsFolders = not imports and { api.must(desk.pool, "GetRootFolder") } or nil,
            })
            local good, why = false, { sentence = "it refused the file" }
            if made then
                good, why = pcall(check, desk, made, order, check_shown)
                show_own(desk)
            end
            if good then
                return name
            elseif made then
                api.must(desk.pool, "DeleteTimelines", nil, { made })
            end
            told[#told + 1] = api.sentence(why)
        end
        return api.fail("Resolve could not import the changed timeline (" .. table.concat(told, "; then ") .. ")")
    end)
    files.remove(path)
    if not fine then
        error(raised, 0)
    end
    return raised
end

return rebuilding
