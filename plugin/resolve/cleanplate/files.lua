-- Reads a small file whole. Windows' C library takes names in the system's code page; ours are UTF-8.
local ffi = require("ffi")

local files = {}

local UTF8 = 65001
local LIMIT_BYTES = 65536

local function read_windows(path)
    pcall(ffi.cdef, [[
        int MultiByteToWideChar(unsigned int page, unsigned long flags, const char *text, int size, wchar_t *wide, int room);
        void *_wfopen(const wchar_t *name, const wchar_t *mode);
        size_t fread(void *bytes, size_t size, size_t count, void *file);
        int fclose(void *file);
    ]])
    local wide = ffi.new("wchar_t[32768]")
    if ffi.C.MultiByteToWideChar(UTF8, 0, path, -1, wide, 32768) == 0 then
        return nil
    end
    local mode = ffi.new("wchar_t[3]", { ("r"):byte(), ("b"):byte(), 0 })
    local file = ffi.C._wfopen(wide, mode)
    if file == nil then
        return nil
    end
    local bytes = ffi.new("char[?]", LIMIT_BYTES)
    local count = tonumber(ffi.C.fread(bytes, 1, LIMIT_BYTES, file))
    ffi.C.fclose(file)
    return ffi.string(bytes, count)
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

return files
