-- Resolve's scripting API in memory, as the one in Python (fake_resolve.py) and with the same quirks, for the Lua script.
-- Nothing raises: a refused call gives nil, and a name that does not exist can be called all the same.
local fake = {}

local CHANGES = {
    AddTake = true, SelectTakeByIndex = true, DeleteTakeByIndex = true, AppendToTimeline = true, DeleteClips = true,
    AddTrack = true, DeleteTrack = true, SetTrackName = true, ImportMedia = true, SetCurrentFolder = true,
    AddSubFolder = true, DeleteFolders = true, SetClipProperty = true, SetMetadata = true, AddMarker = true,
    SetClipEnabled = true,
}
local CONSTANTS = { EXPORT_OTIO = 9, EXPORT_NONE = 0 }
local GATED = { UIManager = true, CreateMagicMask = true, SmartReframe = true, Stabilize = true }

local function timecode(frames, rate)
    local seconds = math.floor(frames / rate)
    return string.format(
        "%02d:%02d:%02d:%02d", math.floor(seconds / 3600), math.floor(seconds / 60) % 60, seconds % 60, frames % rate
    )
end

function fake.start(scenario)
    local quirks = scenario.quirks or {}
    local world = { closed = false, modal = false, ids = 0, page = scenario.page or "edit", calls = {} }
    local left = {}
    for name, count in pairs(scenario.refuse_after or {}) do
        left[name] = count
    end

    -- An object of the API: its methods by name, each looked up anew, so that a closed program has none.
    local function object(kind, methods)
        world.ids = world.ids + 1
        local identity = kind .. "-" .. world.ids
        methods.GetUniqueId = function()
            return identity
        end
        return setmetatable({}, {
            __index = function(_, name)
                if world.closed or CONSTANTS[name] then
                    return CONSTANTS[name]
                end
                return function(_, ...)
                    world.calls[#world.calls + 1] = name
                    if GATED[name] and quirks.free then
                        world.modal = true
                    end
                    if left[name] then
                        left[name] = left[name] - 1
                    end
                    local stopped = CHANGES[name] and (scenario.read_only or world.modal)
                    if stopped or (left[name] and left[name] < 0) or not methods[name] then
                        return nil
                    end
                    return methods[name](...)
                end
            end,
        })
    end

    local rate, start_frame = scenario.rate, scenario.start_frame
    local tracks = { { name = "Video 1", items = {} } }
    local markers, pool, project, timeline = {}, nil, nil, nil
    local timelines, opened = {}, nil
    local data = setmetatable({}, { __mode = "k" }) -- What a handle stands for.

    local function new_media(properties)
        local own = { properties = properties, metadata = {} }
        local handle = object("media", {
            GetName = function() return properties["Clip Name"] end,
            GetClipProperty = function(name)
                if name == nil then
                    return properties
                end
                return properties[name] or ""
            end,
            SetClipProperty = function(name, value)
                properties[name] = value
                return true
            end,
            GetMetadata = function(name) return own.metadata[name] or "" end,
            SetMetadata = function(name, value)
                own.metadata[name] = value
                return true
            end,
        })
        data[handle], own.handle = own, handle
        return handle
    end

    local function media_rate(own)
        return tonumber(data[own.media].properties.FPS)
    end

    -- From and to in the file's frames: to is one past, or one before where it plays backwards.
    local function bounds(own)
        local length = math.floor(own.duration * media_rate(own) / rate * math.abs(own.speed) + 0.5)
        if own.speed < 0 then
            return own.source + 1, own.source + 1 - length
        end
        return own.source, own.source + length
    end

    local function seconds(own, frame)
        return (frame + (quirks.times_relative and 0 or data[own.media].properties.timecode_frame or 0)) / media_rate(own)
    end

    local function new_item(own)
        own.takes, own.selected, own.enabled, own.native = {}, 0, true, own.duration
        own.speed = own.speed or 1
        local function of_media(read)
            return function()
                return own.media and read() or nil
            end
        end
        local handle = object("item", {
            GetName = function() return own.name end,
            GetStart = function() return own.start end,
            GetEnd = function() return own.start + own.duration end,
            GetDuration = function() return own.duration end,
            GetLeftOffset = of_media(function() return math.floor(own.source / math.abs(own.speed) + 0.5) end),
            GetType = quirks.newer and function() return "video" end or nil,
            GetSpeed = quirks.newer and function() return { Percentage = own.speed * 100 } end or nil,
            GetRightOffset = of_media(function() return 0 end),
            GetSourceStartFrame = of_media(function() return (bounds(own)) - (quirks.source_start_low and 1 or 0) end),
            GetSourceEndFrame = of_media(function() return select(2, bounds(own)) end),
            GetSourceStartTime = of_media(function() return seconds(own, (bounds(own))) end),
            GetSourceEndTime = of_media(function() return seconds(own, (select(2, bounds(own)))) end),
            GetTrackTypeAndIndex = function()
                for index, track in ipairs(own.tracks or tracks) do
                    for _, item in ipairs(track.items) do
                        if data[item] == own then
                            if quirks.pairs_apart then
                                return "video", index
                            end
                            return { "video", index }
                        end
                    end
                end
                return nil
            end,
            GetMediaPoolItem = function() return own.media end,
            GetClipEnabled = function() return own.enabled end,
            SetClipEnabled = function(enabled)
                own.enabled = enabled
                return true
            end,
            GetFusionCompCount = function() return 0 end,
            GetTakesCount = function() return #own.takes end,
            GetSelectedTakeIndex = function() return own.selected end,
            GetTakeByIndex = function(index)
                local take = own.takes[index]
                return take and { startFrame = take.start, endFrame = take.stop, mediaPoolItem = take.media } or nil
            end,
            AddTake = function(media, first, last)
                if #own.takes == 0 then
                    local low, high = bounds(own)
                    low, high = math.min(low, high), math.max(low, high)
                    own.takes[1], own.selected = { media = own.media, start = low, stop = high }, 1
                end
                own.takes[#own.takes + 1] = { media = media, start = first, stop = last }
                return true
            end,
            SelectTakeByIndex = function(index)
                local take = own.takes[index]
                if not take then
                    return false
                end
                local length = take.stop - take.start + (quirks.take_end_included and index > 1 and 1 or 0)
                own.media, own.source, own.selected = take.media, take.start, index
                if own.speed < 0 then
                    own.source = take.start + length - 1
                end
                if quirks.take_trims then
                    own.duration = index == 1 and own.native or math.floor(length * rate / media_rate(own) / math.abs(own.speed) + 0.5)
                end
                return true
            end,
            DeleteTakeByIndex = function(index)
                if index == own.selected or not own.takes[index] then
                    return false
                end
                table.remove(own.takes, index)
                return true
            end,
        })
        data[handle], own.handle = own, handle
        return handle
    end

    -- `tracks` and `markers` here are those of the timeline that is made.
    local function timeline_of(name, tracks, markers)
        local handle = object("timeline", {
            GetName = function() return name end,
            GetStartFrame = function() return start_frame end,
            GetStartTimecode = function() return timecode(start_frame, rate) end,
            GetCurrentTimecode = function() return world.page == "media" and "" or timecode(scenario.playhead, rate) end,
            GetSetting = function(name)
                return ({ timelineFrameRate = tostring(rate), timelineDropFrameTimecode = "0" })[name]
            end,
            GetMarkInOut = function() return scenario.marks and { video = scenario.marks } or {} end,
            GetTrackCount = function(kind) return kind == "video" and #tracks or 0 end,
            GetItemListInTrack = function(kind, index)
                return kind == "video" and tracks[index] and { unpack(tracks[index].items) } or nil
            end,
            GetTrackName = function(_, index) return tracks[index].name end,
            SetTrackName = function(_, index, name)
                tracks[index].name = name
                return true
            end,
            GetIsTrackLocked = function(_, index) return tracks[index].locked or false end,
            AddTrack = function()
                tracks[#tracks + 1] = { name = "Video " .. (#tracks + 1), items = {} }
                return true
            end,
            DeleteTrack = function(_, index)
                table.remove(tracks, index)
                return true
            end,
            DeleteClips = function(items)
                if quirks.needs_edit_page and world.page ~= "edit" then
                    return false
                end
                for _, track in ipairs(tracks) do
                    for at = #track.items, 1, -1 do
                        for _, gone in ipairs(items) do
                            if track.items[at] == gone then
                                table.remove(track.items, at)
                                break
                            end
                        end
                    end
                end
                return true
            end,
            GetCurrentVideoItem = function()
                for index = #tracks, 1, -1 do
                    for _, item in ipairs(tracks[index].items) do
                        local own = data[item]
                        if own.enabled and own.start <= scenario.playhead and scenario.playhead < own.start + own.duration then
                            return item
                        end
                    end
                end
                return nil
            end,
            AddMarker = function(frame, color, name, note, duration, mark)
                if markers[tostring(frame)] then
                    return false
                end
                markers[tostring(frame)] = { color = color, name = name, note = note, mark = mark }
                return true
            end,
            Export = function(path, kind)
                if kind ~= CONSTANTS.EXPORT_OTIO then
                    return false
                end
                return fake.write_otio(path, tracks, data, rate, start_frame)
            end,
        })
        data[handle] = { name = name, tracks = tracks }
        return handle
    end
    timeline = timeline_of("Cut 1", tracks, markers)
    timelines[1], opened = timeline, timeline

    local function new_folder(name)
        local own = { name = name, clips = {}, folders = {} }
        local handle = object("folder", {
            GetName = function() return own.name end,
            GetClipList = function() return own.clips end,
            GetSubFolderList = function() return own.folders end,
        })
        data[handle] = own
        return handle
    end

    local root = new_folder("Master")
    local current = root
    pool = object("pool", {
        GetRootFolder = function() return root end,
        GetCurrentFolder = function() return current end,
        SetCurrentFolder = function(folder)
            current = folder
            return true
        end,
        AddSubFolder = function(folder, name)
            current = new_folder(name)
            table.insert(data[folder].folders, current)
            return current
        end,
        DeleteFolders = function(folders)
            for at, folder in ipairs(data[root].folders) do
                if folder == folders[1] then
                    table.remove(data[root].folders, at)
                    current = root
                end
            end
            return true
        end,
        ImportMedia = function(paths)
            local properties = { ["File Path"] = paths[1], ["Clip Name"] = paths[1]:match("[^/]+$") }
            for name, value in pairs(scenario.clean) do
                properties[name] = value
            end
            local made = new_media(properties)
            table.insert(data[current].clips, made)
            return { made }
        end,
        DeleteClips = function(clips)
            for _, folder in ipairs({ root, unpack(data[root].folders) }) do
                for at = #data[folder].clips, 1, -1 do
                    if data[folder].clips[at] == clips[1] then
                        table.remove(data[folder].clips, at)
                    end
                end
            end
            return true
        end,
        DeleteTimelines = function(gone)
            for at = #timelines, 1, -1 do
                if timelines[at] == gone[1] then
                    table.remove(timelines, at)
                end
            end
            return true
        end,
        ImportTimelineFromFile = function(path, options)
            for _, known in ipairs(timelines) do
                if data[known].name == options.timelineName then
                    return nil
                end
            end
            local read = fake.read_otio(path, rate)
            if not read then
                return nil
            end
            local is_online = options.importSourceClips ~= (quirks.imports_pool_clips or false)
            local made = {}
            for index, clips in ipairs(read) do
                made[index] = { name = "Video " .. index, items = {} }
                for _, told in ipairs(clips) do
                    local properties = { ["File Path"] = told.path, FPS = rate, ["Online Status"] = is_online and "Online" or "Offline" }
                    local own = {
                        name = told.name, media = new_media(properties), start = start_frame + told.at,
                        duration = told.duration, source = told.source, speed = told.speed, tracks = made,
                    }
                    table.insert(made[index].items, new_item(own))
                end
            end
            opened = timeline_of(options.timelineName, made, {})
            timelines[#timelines + 1] = opened
            return opened
        end,
        AppendToTimeline = function(clips)
            local told = clips[1]
            local length = told.endFrame - told.startFrame + (quirks.append_end_included and 1 or 0)
            local own = {
                name = "laid", media = told.mediaPoolItem, start = told.recordFrame, source = told.startFrame,
                duration = math.floor(length * rate / tonumber(data[told.mediaPoolItem].properties.FPS)),
            }
            local track = tracks[told.trackIndex]
            for _, item in ipairs(track.items) do
                local lying = data[item]
                if lying.start < own.start + own.duration and own.start < lying.start + lying.duration then
                    return { new_item(own) }
                end
            end
            table.insert(track.items, new_item(own))
            return quirks.appends_dead and {} or { own.handle }
        end,
    })
    if quirks.appends_dead then
        quirks.appends_dead = nil
    end

    project = object("project", {
        GetMediaPool = function() return pool end,
        GetCurrentTimeline = function() return not scenario.no_timeline and opened or nil end,
        SetCurrentTimeline = function(other)
            opened = other
            return true
        end,
        GetTimelineCount = function() return #timelines end,
        GetTimelineByIndex = function(index) return timelines[index] end,
    })
    local manager = object("manager", {
        GetCurrentProject = function() return not scenario.no_project and project or nil end,
    })
    local program = {}
    program.resolve = object("resolve", {
        GetProjectManager = function() return manager end,
        GetVersionString = function() return quirks.newer and "21.1.0.14" or "20.3.2.9" end,
        GetProductName = function() return quirks.free and "DaVinci Resolve" or "DaVinci Resolve Studio" end,
        GetCurrentPage = function() return world.page end,
        OpenPage = function(page)
            world.page = page
            return true
        end,
    })

    local media_by_path = {}
    for _, told in ipairs(scenario.clips) do
        local media
        if told.properties then
            media = media_by_path[told.properties["File Path"]] or new_media(told.properties)
            if not media_by_path[told.properties["File Path"]] then
                media_by_path[told.properties["File Path"]] = media
                table.insert(data[root].clips, media)
            end
        end
        table.insert(tracks[1].items, new_item({
            name = told.name, media = media, start = start_frame + told.at, duration = told.duration,
            source = told.source or 0, speed = told.speed,
        }))
    end
    tracks[1].locked = scenario.locked

    -- What somebody does to the second clip while the job runs.
    function program.edit(kind)
        local own = data[tracks[1].items[2]]
        if kind == "slip" then
            own.source = own.source + 1
        elseif kind == "move" then
            own.start = own.start + 1
        elseif kind == "delete" then
            table.remove(tracks[1].items, 2)
        elseif kind == "playhead" then
            scenario.playhead = start_frame
        elseif kind == "close" then
            world.closed = true
        end
    end

    function program.state()
        world.closed = false
        local lines = {}
        for index, track in ipairs(tracks) do
            for _, item in ipairs(track.items) do
                local own = data[item]
                lines[#lines + 1] = {
                    track = index, track_name = track.name, start = own.start - start_frame, duration = own.duration,
                    source = own.source, path = own.media and data[own.media].properties["File Path"] or "",
                    takes = #own.takes, selected = own.selected, enabled = own.enabled,
                    space = own.media and data[own.media].properties["Input Color Space"] or "",
                }
            end
        end
        local names = {}
        for _, folder in ipairs(data[root].folders) do
            names[#names + 1] = data[folder].name
        end
        local made = {}
        for index = 2, #timelines do
            for _, item in ipairs(data[timelines[index]].tracks[1].items) do
                local own = data[item]
                made[#made + 1] = {
                    name = data[timelines[index]].name, path = data[own.media].properties["File Path"], source = own.source,
                    start = own.start - start_frame, duration = own.duration,
                }
            end
        end
        return {
            made = made, opened = data[opened].name, items = lines, markers = markers, folders = table.concat(names, ","), current = data[current].name,
            clips = #data[root].clips, tracks = #tracks, modal = world.modal, calls = table.concat(world.calls, " "),
        }
    end

    return program
end

local json = nil

function fake.use_json(module)
    json = module
end

local function range(start, length, rate)
    local function time(value)
        return { OTIO_SCHEMA = "RationalTime.1", value = value, rate = rate }
    end
    return { OTIO_SCHEMA = "TimeRange.1", start_time = time(start), duration = time(length) }
end

-- As Resolve writes it: bare paths, frames from midnight.
function fake.write_otio(path, tracks, data, rate, start_frame)
    local written = {}
    for index, track in ipairs(tracks) do
        local children, at = {}, start_frame
        for _, item in ipairs(track.items) do
            local own = data[item]
            local properties = data[own.media].properties
            local first = properties.timecode_frame or 0
            if own.start > at then
                children[#children + 1] = { OTIO_SCHEMA = "Gap.1", source_range = range(0, own.start - at, rate) }
            end
            children[#children + 1] = {
                OTIO_SCHEMA = "Clip.2", name = own.name, enabled = true,
                effects = own.speed == 1 and json.decode("[]", true)
                    or { { OTIO_SCHEMA = "LinearTimeWarp.1", time_scalar = own.speed } },
                source_range = range(first + own.source, own.duration, rate),
                media_references = { DEFAULT_MEDIA = {
                    OTIO_SCHEMA = "ExternalReference.1", target_url = properties["File Path"],
                    available_range = range(first, tonumber(properties.Frames), rate), available_image_bounds = json.null,
                } },
            }
            at = own.start + own.duration
        end
        written[index] = { OTIO_SCHEMA = "Track.1", kind = "Video", children = children }
    end
    local file = assert(io.open(path, "wb"))
    file:write(json.encode({ OTIO_SCHEMA = "Timeline.1", tracks = { OTIO_SCHEMA = "Stack.1", children = written } }))
    file:close()
    return true
end

-- What stands on each track, or nil where anything that Resolve asks for is missing.
function fake.read_otio(path, rate)
    local file = assert(io.open(path, "rb"))
    local document = json.decode(file:read("*a"), true)
    file:close()
    local read = {}
    for index, track in ipairs(document.tracks.children) do
        local at = 0
        read[index] = {}
        for _, child in ipairs(track.children) do
            local length = child.source_range.duration.value
            if child.OTIO_SCHEMA == "Clip.2" then
                local reference = child.media_references.DEFAULT_MEDIA
                if getmetatable(child.effects) == nil or reference.available_image_bounds ~= json.null then
                    return nil
                end
                table.insert(read[index], {
                    name = child.name, path = reference.target_url, at = at, duration = length,
                    speed = child.effects[1] and child.effects[1].time_scalar or 1,
                    source = child.source_range.start_time.value - reference.available_range.start_time.value,
                })
            end
            at = at + length
        end
    end
    return read
end

return fake
