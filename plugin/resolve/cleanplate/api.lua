-- Calls on Resolve, each checked: nothing there raises, a call that fails gives nil or false.
local api = {}

api.READ_ONLY = "see that the project is not read-only and no dialog is open"

function api.fail(sentence)
    error({ sentence = sentence })
end

-- The sentence of anything that was raised; a plain error is a fault of ours and keeps its place.
function api.sentence(raised)
    return type(raised) == "table" and raised.sentence or tostring(raised)
end

function api.ask(object, name, ...)
    local given, count = { ... }, select("#", ...)
    local fine, first, second = pcall(function()
        return object[name](object, unpack(given, 1, count))
    end)
    if not fine then
        api.fail("Resolve did not answer " .. name .. "; it was closed, or is older than 19, start it again")
    end
    return first, second
end

function api.must(object, name, remedy, ...)
    local answer = api.ask(object, name, ...)
    if not answer then
        api.fail("Resolve refused " .. name .. "; " .. (remedy or api.READ_ONLY))
    end
    return answer
end

-- What a call gives that an older Resolve does not have: nil there.
function api.try(object, name, ...)
    local fine, answer = pcall(api.ask, object, name, ...)
    return fine and answer or nil
end

-- A list in order, without its holes.
function api.list(answer)
    local indices, items = {}, {}
    for index in pairs(type(answer) == "table" and answer or {}) do
        if type(index) == "number" then
            indices[#indices + 1] = index
        end
    end
    table.sort(indices)
    for _, index in ipairs(indices) do
        if answer[index] then
            items[#items + 1] = answer[index]
        end
    end
    return items
end

-- What is open: resolve, project, pool, timeline.
function api.open_desk(resolve)
    if not resolve then
        api.fail("this script runs inside DaVinci Resolve; start it from Workspace > Scripts > Cleanplate")
    end
    local desk = { resolve = resolve }
    local manager = api.must(resolve, "GetProjectManager", "start Resolve again")
    desk.project = api.must(manager, "GetCurrentProject", "open a project")
    desk.pool = api.must(desk.project, "GetMediaPool", "open a project")
    desk.timeline = api.must(desk.project, "GetCurrentTimeline", "open a timeline")
    return desk
end

function api.items(desk, kind, index)
    return api.list(api.ask(desk.timeline, "GetItemListInTrack", kind, index))
end

function api.track_count(desk, kind)
    return tonumber(api.ask(desk.timeline, "GetTrackCount", kind)) or 0
end

-- Calls `visit(item, kind, index)` for all video and audio items until it gives something, and gives that.
function api.each_item(desk, visit)
    for _, kind in ipairs({ "video", "audio" }) do
        for index = 1, api.track_count(desk, kind) do
            for _, item in ipairs(api.items(desk, kind, index)) do
                local found = visit(item, kind, index)
                if found then
                    return found
                end
            end
        end
    end
    return nil
end

function api.id(object)
    return tostring(api.ask(object, "GetUniqueId") or "")
end

function api.find_item(desk, id)
    return api.each_item(desk, function(item, kind)
        return kind == "video" and api.id(item) == id and item or nil
    end)
end

function api.bounds(item)
    local start, stop = api.ask(item, "GetStart"), api.ask(item, "GetEnd")
    if not start or not stop then
        api.fail("Resolve did not say where a clip lies; it was deleted meanwhile, or Resolve was closed")
    end
    return start, stop
end

-- Where every item lies, as one text: two are alike when nothing has moved. `without` is an id to leave out.
function api.layout(desk, without)
    local lines = {}
    api.each_item(desk, function(item, kind, index)
        local start, stop = api.bounds(item)
        if api.id(item) ~= without then
            lines[#lines + 1] = table.concat({ kind, index, api.id(item), start, stop }, " ")
        end
        return nil
    end)
    table.sort(lines)
    return table.concat(lines, "\n")
end

-- A file's name as it is compared: an image sequence's range of numbers is its pattern.
function api.plain_path(path)
    local plain = tostring(path):gsub("%[(%d+)%-%d+%]", function(first)
        return "%0" .. #first .. "d"
    end)
    if jit and jit.os == "Windows" then
        plain = plain:gsub("/", "\\"):lower()
    end
    return plain
end

function api.shows_file(media, path)
    local told = api.ask(media, "GetClipProperty", "File Path")
    return told ~= nil and told ~= "" and api.plain_path(told) == api.plain_path(path)
end

return api
