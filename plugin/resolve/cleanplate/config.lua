-- Where the server keeps its state: a variable, else what the installer wrote down, else the usual place.
local config = {}

local function usual()
    local home = os.getenv("HOME") or ""
    if jit.os == "Windows" then
        return (os.getenv("LOCALAPPDATA") or "") .. "\\cleanplate"
    elseif jit.os == "OSX" then
        return home .. "/Library/Application Support/cleanplate"
    end
    local states = os.getenv("XDG_STATE_HOME")
    return (states and states ~= "" and states or home .. "/.local/state") .. "/cleanplate"
end

function config.state_folder(installed)
    local named = os.getenv("CLEANPLATE_STATE_FOLDER")
    if named and named ~= "" then
        return named
    end
    return installed ~= "" and installed or usual()
end

return config
