-- TCP to this machine's own 127.0.0.1 through LuaJIT's FFI, on the three systems; every wait has an end.
local ffi = require("ffi")
local bit = require("bit")

local sockets = {}

local WINDOWS, MAC = ffi.os == "Windows", ffi.os == "OSX"
local LOOPBACK = 0x7F000001
local AF_INET, SOCK_STREAM = 2, 1
local POLL_IN, POLL_OUT = WINDOWS and 0x0300 or 0x0001, WINDOWS and 0x0010 or 0x0004
local SOL_SOCKET = ffi.os == "Linux" and 1 or 0xFFFF
local SEND_TIMEOUT = ffi.os == "Linux" and 21 or 0x1005
local RECEIVE_TIMEOUT = ffi.os == "Linux" and 20 or 0x1006
local NO_SIGPIPE = 0x1022 -- macOS
local MSG_NOSIGNAL = ffi.os == "Linux" and 0x4000 or 0
local CHUNK_BYTES = 65536
local INTERRUPTED = 4

-- Definitions outlive a script where the program keeps its Lua state; a second time they are an error.
local function define(text)
    pcall(ffi.cdef, text)
end

define([[ typedef struct { uint8_t family[2]; uint8_t port[2]; uint8_t address[4]; uint8_t rest[8]; } cp_address; ]])
local library
if WINDOWS then
    define([[
        typedef struct { uintptr_t socket; short events; short happened; } cp_poll;
        int WSAStartup(uint16_t version, void *data);
        uintptr_t socket(int family, int kind, int protocol);
        int connect(uintptr_t socket, const cp_address *address, int size);
        int send(uintptr_t socket, const char *bytes, int size, int flags);
        int recv(uintptr_t socket, char *bytes, int size, int flags);
        int closesocket(uintptr_t socket);
        int setsockopt(uintptr_t socket, int level, int name, const void *value, int size);
        int WSAPoll(cp_poll *polls, unsigned long count, int milliseconds);
        int WSAGetLastError(void);
        void Sleep(unsigned long milliseconds);
    ]])
    library = ffi.load("ws2_32")
    library.WSAStartup(0x0202, ffi.new("uint8_t[512]"))
else
    define([[
        typedef struct { int socket; short events; short happened; } cp_poll;
        typedef struct { long seconds; long microseconds; } cp_time;
        int socket(int family, int kind, int protocol);
        int connect(int socket, const cp_address *address, unsigned int size);
        intptr_t send(int socket, const char *bytes, size_t size, int flags);
        intptr_t recv(int socket, char *bytes, size_t size, int flags);
        int close(int socket);
        int setsockopt(int socket, int level, int name, const void *value, unsigned int size);
    ]])
    -- The count's type is the one difference between the two systems.
    define("int poll(cp_poll *polls, " .. (MAC and "unsigned int" or "unsigned long") .. " count, int milliseconds);")
    library = ffi.C
end

local function close(handle)
    if WINDOWS then
        library.closesocket(handle)
    else
        library.close(handle)
    end
end

local function poll(polls, count, milliseconds)
    if WINDOWS then
        return library.WSAPoll(polls, count, milliseconds)
    end
    return library.poll(polls, count, milliseconds)
end

-- Whether the socket is ready before the deadline.
local function ready(handle, events, deadline)
    while true do
        local left = math.ceil((deadline - sockets.now()) * 1000)
        if left <= 0 then
            return false
        end
        local polls = ffi.new("cp_poll[1]", { { handle, events, 0 } })
        local count = poll(polls, 1, left)
        if count > 0 then
            return true
        elseif count < 0 and not (not WINDOWS and ffi.errno() == INTERRUPTED) then
            return false
        end
    end
end

-- Seconds that pass; only differences mean something. Whole seconds are enough for waits of many.
function sockets.now()
    return os.time()
end

function sockets.sleep(seconds)
    if WINDOWS then
        ffi.C.Sleep(seconds * 1000)
    else
        library.poll(nil, 0, seconds * 1000)
    end
end

local function limit_waits(handle, seconds)
    for _, name in ipairs({ SEND_TIMEOUT, RECEIVE_TIMEOUT }) do
        if WINDOWS then
            local value = ffi.new("uint32_t[1]", seconds * 1000)
            library.setsockopt(handle, SOL_SOCKET, name, value, 4)
        else
            -- macOS keeps microseconds in 32 bits; the bytes above them are padding there.
            local value = ffi.new("cp_time", { seconds, 0 })
            library.setsockopt(handle, SOL_SOCKET, name, value, ffi.sizeof(value))
        end
    end
    if MAC then
        library.setsockopt(handle, SOL_SOCKET, NO_SIGPIPE, ffi.new("int[1]", 1), 4)
    end
end

local function address_of(port)
    local address = ffi.new("cp_address")
    -- macOS has the structure's length in front of a family of one byte.
    address.family[0], address.family[1] = MAC and 16 or AF_INET, MAC and AF_INET or 0
    address.port[0], address.port[1] = bit.rshift(port, 8), bit.band(port, 0xFF)
    for index = 0, 3 do
        address.address[index] = bit.band(bit.rshift(LOOPBACK, 24 - 8 * index), 0xFF)
    end
    return address
end

local Socket = {}
Socket.__index = Socket

-- Opens a connection to a port of 127.0.0.1, or gives nil.
function sockets.connect(port, seconds)
    local handle = library.socket(AF_INET, SOCK_STREAM, 0)
    if tonumber(ffi.cast("intptr_t", handle)) < 0 then
        return nil
    end
    limit_waits(handle, seconds)
    if library.connect(handle, address_of(port), 16) ~= 0 then
        close(handle)
        return nil
    end
    return setmetatable({ handle = handle, deadline = sockets.now() + seconds }, Socket)
end

-- Sends all of it, or gives false.
function Socket:send(text)
    local sent = 0
    while sent < #text do
        if not ready(self.handle, POLL_OUT, self.deadline) then
            return false
        end
        local piece = text:sub(sent + 1, sent + CHUNK_BYTES)
        local count = tonumber(library.send(self.handle, piece, #piece, MSG_NOSIGNAL))
        if count <= 0 then
            return false
        end
        sent = sent + count
    end
    return true
end

-- Some bytes, "" when the other side has ended, nil when it broke off or time is over.
function Socket:receive()
    if not ready(self.handle, POLL_IN, self.deadline) then
        return nil
    end
    local buffer = ffi.new("char[?]", CHUNK_BYTES)
    local count = tonumber(library.recv(self.handle, buffer, CHUNK_BYTES, 0))
    return count >= 0 and ffi.string(buffer, count) or nil
end

function Socket:close()
    if self.handle then
        close(self.handle)
        self.handle = nil
    end
end

return sockets
