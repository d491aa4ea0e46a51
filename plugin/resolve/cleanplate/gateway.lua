-- The gateway that runs beside the server: found by the server's state folder, asked with its token.
local files = require("cleanplate.files")
local http = require("cleanplate.http")
local json = require("cleanplate.json")

local gateway = {}

local LONG_SECONDS = 130 -- Opening media on a slow disk may take two minutes.
local SHORT_SECONDS = 20
local START = "start it with `cleanplate serve`"

local function fail(sentence)
    error({ sentence = sentence })
end

-- Reads address and token anew: a server that was started again has others.
local function find(folder)
    local separator = folder:find("\\", 1, true) and "\\" or "/"
    local text = files.read(folder .. separator .. "server.json")
    local token = files.read(folder .. separator .. "token")
    if not text or not token then
        fail("no Cleanplate server is running with the state folder " .. folder .. "; " .. START)
    end
    local known = json.decode(text)
    local address = type(known) == "table" and known.gateway
    if not address then
        fail("the Cleanplate server has no gateway for editing programs; stop it and " .. START)
    end
    local port = tonumber(tostring(address):match("^127%.0%.0%.1:(%d+)$"))
    if not port or port < 1 or port > 65535 then
        fail("the Cleanplate server gives '" .. tostring(address) .. "' as its gateway, which is not on this machine")
    end
    return port, (token:gsub("%s+$", ""))
end

local Gateway = {}
Gateway.__index = Gateway

function gateway.open(folder)
    local opened = setmetatable({ folder = folder }, Gateway)
    opened.port, opened.token = find(folder)
    return opened
end

-- One call; gives the answer as a table. Raises {sentence, gone}: gone when nobody answers.
function Gateway:call(method, path, body)
    local answer = http.request({
        port = self.port, method = method, path = path, seconds = method == "GET" and SHORT_SECONDS or LONG_SECONDS,
        headers = { Authorization = "Bearer " .. self.token, ["Content-Type"] = "application/json" },
        body = body and json.encode(body) or nil,
    })
    if not answer then
        error({ sentence = "the Cleanplate server does not answer; " .. START, gone = true })
    end
    local told, why = json.decode(answer.body)
    if answer.status >= 400 then
        local problem = type(told) == "table" and told.error
        fail(type(problem) == "table" and problem.message or "the Cleanplate server answered " .. answer.status)
    elseif type(told) ~= "table" then
        fail("the Cleanplate server gave no JSON (" .. tostring(why) .. "); bring server and plug-in to one version")
    end
    return told
end

-- Finds a server that was started again meanwhile.
function Gateway:renew()
    local fine, port, token = pcall(find, self.folder)
    if fine then
        self.port, self.token = port, token
    end
end

-- The page's address. Checked to the letter, since it is handed to the system.
function Gateway:address_of(page)
    if not tostring(page):match("^/[%w%-%._~/%?=#&]*$") then
        fail("the Cleanplate server gives a page that cannot be opened; bring server and plug-in to one version")
    end
    return "http://127.0.0.1:" .. self.port .. page
end

return gateway
