-- Whole files. Windows' C library takes names in the system's code page; ours are UTF-8, so there they go by wide names.
local ffi = require("ffi")

local files = {}

local UTF8 = 65001
local LIMIT_BYTES = 256 * 1024 * 1024
local CHUNK_BYTES = 1024 * 1024
local NAME_LENGTH = 32768

if ffi.os == "Windows" then
    -- Definitions outlive a script where the program keeps its Lua state; a second time they are an error.
    pcall(ffi.cdef, [[
        int MultiByteToWideChar(unsigned int page, unsigned long flags, const char *text, int size, wchar_t *wide, int room);
        void *_wfopen(const wchar_t *name, const wchar_t *mode);
        int _wremove(const wchar_t *name);
        size_t fread(void *bytes, size_t size, size_t count, void *file);
        size_t fwrite(const void *bytes, size_t size, size_t count, void *file);
        int fclose(void *file);
    ]])
end

local function wide(text)
    local name = ffi.new("wchar_t[?]", NAME_LENGTH)
    return ffi.C.MultiByteToWideChar(UTF8, 0, text, -1, name, NAME_LENGTH) > 0 and name or nil
end

local function open_windows(path, mode)
    local name = wide(path)
    local file = name and ffi.C._wfopen(name, wide(mode))
    return file ~= nil and file or nil
end

local function read_windows(path)
    local file = open_windows(path, "rb")
    if not file then
        return nil
    end
    local parts, total = {}, 0
    local bytes = ffi.new("char[?]", CHUNK_BYTES)
    repeat
        local count = tonumber(ffi.C.fread(bytes, 1, CHUNK_BYTES, file))
        parts[#parts + 1], total = ffi.string(bytes, count), total + count
    until count < CHUNK_BYTES or total > LIMIT_BYTES
    ffi.C.fclose(file)
    return table.concat(parts)
end

local function write_windows(path, text)
    local file = open_windows(path, "wb")
    if not file then
        return false
    end
    local count = tonumber(ffi.C.fwrite(text, 1, #text, file))
    return ffi.C.fclose(file) == 0 and count == #text
end

-- The file's bytes, or nil.
function files.read(path)
    if ffi.os == "Windows" then
        return read_windows(path)
    end
    local file = io.open(path, "rb")
    if not file then
        return nil
    end
    local text = file:read(LIMIT_BYTES)
    file:close()
    return text or ""
end

-- Whether all of it was written.
function files.write(path, text)
    if ffi.os == "Windows" then
        return write_windows(path, text)
    end
    local file = io.open(path, "wb")
    local written = file and file:write(text)
    return file ~= nil and file:close() and written and true or false
end

function files.remove(path)
    if ffi.os == "Windows" then
        local name = wide(path)
        return name ~= nil and ffi.C._wremove(name) == 0
    end
    return os.remove(path) ~= nil
end

return files
