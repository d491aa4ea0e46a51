-- One HTTP/1.1 request on one connection to a port of 127.0.0.1.
local sockets = require("cleanplate.sockets")

local http = {}

local ANSWER_LIMIT = 64 * 1024 * 1024

-- Reads from a socket as much as is asked for.
local Reader = {}
Reader.__index = Reader

function Reader:more()
    local bytes = self.socket:receive()
    if not bytes or bytes == "" or #self.held + #bytes > ANSWER_LIMIT then
        return false
    end
    self.held = self.held .. bytes
    return true
end

function Reader:line()
    while true do
        local stop = self.held:find("\r\n", 1, true)
        if stop then
            local line = self.held:sub(1, stop - 1)
            self.held = self.held:sub(stop + 2)
            return line
        elseif not self:more() then
            return nil
        end
    end
end

function Reader:bytes(count)
    while #self.held < count do
        if not self:more() then
            return nil
        end
    end
    local bytes = self.held:sub(1, count)
    self.held = self.held:sub(count + 1)
    return bytes
end

local function read_chunks(reader)
    local parts = {}
    while true do
        local size = tonumber((reader:line() or ""):match("^%x+") or "", 16)
        if not size or size > ANSWER_LIMIT then
            return nil
        elseif size == 0 then
            return table.concat(parts)
        end
        parts[#parts + 1] = reader:bytes(size)
        if not parts[#parts] or reader:line() ~= "" then
            return nil
        end
    end
end

local function read_answer(reader)
    local status = tonumber((reader:line() or ""):match("^HTTP/1%.%d (%d%d%d)"))
    if not status then
        return nil
    end
    local headers = {}
    while true do
        local line = reader:line()
        if not line then
            return nil
        elseif line == "" then
            break
        end
        local name, value = line:match("^([^:]+):%s*(.-)%s*$")
        if name then
            headers[name:lower()] = value
        end
    end
    local body
    if (headers["transfer-encoding"] or ""):lower() == "chunked" then
        body = read_chunks(reader)
    else
        -- Without a length there is no telling a whole answer from a broken one.
        local size = tonumber(headers["content-length"])
        body = size and size <= ANSWER_LIMIT and reader:bytes(size) or nil
    end
    if not body then
        return nil
    end
    return { status = status, body = body }
end

-- Gives {status, body}; nil when nobody answers, or not wholly and in time.
-- request: port, method, path, headers (by name), body, seconds.
function http.request(request)
    local socket = sockets.connect(request.port, request.seconds)
    if not socket then
        return nil
    end
    local lines = {
        request.method .. " " .. request.path .. " HTTP/1.1",
        "Host: 127.0.0.1:" .. request.port,
        "Connection: close",
        "Content-Length: " .. #(request.body or ""),
    }
    for name, value in pairs(request.headers or {}) do
        lines[#lines + 1] = name .. ": " .. value
    end
    local answer
    if socket:send(table.concat(lines, "\r\n") .. "\r\n\r\n" .. (request.body or "")) then
        answer = read_answer(setmetatable({ socket = socket, held = "" }, Reader))
    end
    socket:close()
    return answer
end

return http
