-- What Resolve's getters say of a clip, as the gateway's message `ResolveFacts` has it; nothing is computed here.
local api = require("cleanplate.api")

local facts = {}

local function number(object, name)
    local answer = api.ask(object, name)
    return type(answer) == "number" and answer or nil
end

local function text(object, name, ...)
    local answer = api.ask(object, name, ...)
    return answer ~= nil and tostring(answer) or ""
end

local function whole(value)
    return value and math.floor(value + 0.5)
end

local function properties_of(media)
    local told = {}
    for name, value in pairs(api.ask(media, "GetClipProperty") or {}) do
        told[tostring(name)] = tostring(value)
    end
    return told
end

local function read_timeline(desk)
    local timeline = desk.timeline
    local told = {
        id = api.id(timeline),
        name = text(timeline, "GetName"),
        frame_rate = text(timeline, "GetSetting", "timelineFrameRate"),
        drop_frame = text(timeline, "GetSetting", "timelineDropFrameTimecode"),
        start_frame = whole(number(timeline, "GetStartFrame")) or 0,
        start_timecode = text(timeline, "GetStartTimecode"),
    }
    return told
end

-- The playhead and the in and out points, which are asked after once, when the shot is announced.
local function read_position(desk, told)
    told.playhead_timecode = text(desk.timeline, "GetCurrentTimecode")
    if told.playhead_timecode == "" then
        api.fail("Resolve tells no playhead on this page; open the Edit page and try again")
    end
    local marks = api.try(desk.timeline, "GetMarkInOut")
    local video = type(marks) == "table" and marks.video or {}
    told.mark_in, told.mark_out = video["in"], video.out
end

-- 21.1 and newer have getters of kind and speed; names that are not there can be called all the same, so go by version.
local function is_newer(version)
    local major, minor = version:match("^(%d+)%.(%d+)")
    major, minor = tonumber(major), tonumber(minor)
    return major ~= nil and (major > 21 or (major == 21 and minor >= 1))
end

local function read_item(desk, item, version)
    local start, stop = api.bounds(item)
    local kind, index = api.ask(item, "GetTrackTypeAndIndex")
    if type(kind) == "table" then
        kind, index = kind[1], kind[2]
    end
    local told = {
        id = api.id(item),
        name = text(item, "GetName"),
        track_type = tostring(kind or ""),
        track_index = whole(index) or 0,
        track_locked = kind == "video" and api.ask(desk.timeline, "GetIsTrackLocked", "video", index) and true or false,
        enabled = api.ask(item, "GetClipEnabled") and true or false,
        start = whole(start),
        ["end"] = whole(stop),
        duration = whole(number(item, "GetDuration")) or 0,
        left_offset = number(item, "GetLeftOffset"),
        right_offset = number(item, "GetRightOffset"),
        source_start_frame = whole(number(item, "GetSourceStartFrame")),
        source_end_frame = whole(number(item, "GetSourceEndFrame")),
        source_start_seconds = number(item, "GetSourceStartTime"),
        source_end_seconds = number(item, "GetSourceEndTime"),
        takes_count = whole(number(item, "GetTakesCount")) or 0,
        selected_take = whole(number(item, "GetSelectedTakeIndex")) or 0,
        fusion_comp_count = whole(number(item, "GetFusionCompCount")) or 0,
    }
    if is_newer(version) then
        told.type = text(item, "GetType")
        local speed = api.ask(item, "GetSpeed")
        told.speed_percent = type(speed) == "table" and tonumber(speed.Percentage) or nil
    end
    local media = api.ask(item, "GetMediaPoolItem")
    if media then
        told.has_media = true
        told.media_id = api.id(media)
        told.media_properties = properties_of(media)
    end
    return told
end

-- Of one item, wherever the playhead stands.
function facts.of_item(desk, item)
    local told = {
        version = text(desk.resolve, "GetVersionString"),
        product = text(desk.resolve, "GetProductName"),
        timeline = read_timeline(desk),
    }
    if item then
        told.item = read_item(desk, item, told.version)
    end
    return told
end

-- Of what stands under the playhead.
function facts.current(desk)
    local told = facts.of_item(desk, api.ask(desk.timeline, "GetCurrentVideoItem"))
    read_position(desk, told.timeline)
    return told
end

return facts
