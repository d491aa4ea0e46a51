-- Clean media in the media pool: found or imported, with the original's colours, and known again.
local api = require("cleanplate.api")

local media = {}

media.BIN_NAME = "Cleanplate"
media.MARK = "cleanplate:"

local COLOUR = { "IDT", "Input Color Space", "Input Gamma", "Data Level" }

-- Calls `visit(folder)` for every folder until it gives something, and gives that.
local function each_folder(desk, visit)
    local waiting = { api.must(desk.pool, "GetRootFolder") }
    while #waiting > 0 do
        local folder = table.remove(waiting, 1)
        local found = visit(folder)
        if found then
            return found
        end
        for _, inner in ipairs(api.list(api.ask(folder, "GetSubFolderList"))) do
            waiting[#waiting + 1] = inner
        end
    end
    return nil
end

local function find(desk, path)
    return each_folder(desk, function(folder)
        for _, clip in ipairs(api.list(api.ask(folder, "GetClipList"))) do
            if api.shows_file(clip, path) then
                return clip
            end
        end
        return nil
    end)
end

local function bin(desk, undo)
    local found = each_folder(desk, function(folder)
        return api.ask(folder, "GetName") == media.BIN_NAME and folder or nil
    end)
    if found then
        return found
    end
    local root = api.must(desk.pool, "GetRootFolder")
    local current = api.must(desk.pool, "GetCurrentFolder")
    local made = api.must(desk.pool, "AddSubFolder", nil, root, media.BIN_NAME)
    undo[#undo + 1] = function()
        api.must(desk.pool, "DeleteFolders", nil, { made })
    end
    -- Adding a folder makes it the current one.
    api.must(desk.pool, "SetCurrentFolder", nil, current)
    return made
end

local function import(desk, path, undo)
    local folder = bin(desk, undo)
    local current = api.must(desk.pool, "GetCurrentFolder")
    api.must(desk.pool, "SetCurrentFolder", nil, folder)
    local imported = api.list(api.ask(desk.pool, "ImportMedia", { path }))
    api.ask(desk.pool, "SetCurrentFolder", current)
    if #imported == 0 then
        api.fail("Resolve refused ImportMedia; see that Resolve can read " .. path .. " and that the project is not read-only")
    end
    undo[#undo + 1] = function()
        api.must(desk.pool, "DeleteClips", nil, imported)
    end
    if not api.shows_file(imported[1], path) then
        api.fail("Resolve imported another file for " .. path .. "; see that the file is whole")
    end
    return imported[1]
end

function media.set_property(clip, name, value)
    local remedy = "set '" .. name .. "' of the clean media to '" .. value .. "' by hand and place it again"
    api.must(clip, "SetClipProperty", remedy, name, value)
    if tostring(api.ask(clip, "GetClipProperty", name)) ~= value then
        api.fail("Resolve did not keep '" .. name .. "' as '" .. value .. "'; " .. remedy)
    end
end

-- Gives the pool's item of the clean file; what it took to get it is undone by `undo`.
function media.take_in(desk, item, placement, undo)
    local clip = find(desk, placement.path) or import(desk, placement.path, undo)
    local original = api.must(item, "GetMediaPoolItem")
    for _, name in ipairs(COLOUR) do
        local wanted = tostring(api.ask(original, "GetClipProperty", name) or "")
        if wanted ~= "" and wanted ~= tostring(api.ask(clip, "GetClipProperty", name) or "") then
            media.set_property(clip, name, wanted)
        end
    end
    api.ask(clip, "SetMetadata", "Comments", placement.marker_data)
    return clip
end

-- Whether media came from us: by its comment, else by its folder.
function media.is_ours(desk, clip)
    local comment = tostring(api.ask(clip, "GetMetadata", "Comments") or "")
    if comment:sub(1, #media.MARK) == media.MARK then
        return true
    end
    local wanted = api.id(clip)
    return each_folder(desk, function(folder)
        if api.ask(folder, "GetName") == media.BIN_NAME then
            for _, each in ipairs(api.list(api.ask(folder, "GetClipList"))) do
                if api.id(each) == wanted then
                    return true
                end
            end
        end
        return nil
    end) or false
end

return media
