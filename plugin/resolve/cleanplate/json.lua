-- JSON as the gateway speaks it: objects, arrays, text, numbers. A 64-bit number comes as text and stays so.
-- Timeline files are read and written again, so there nothing may be lost: neither null nor that an array is empty.
local json = { null = setmetatable({}, {}) }

local ARRAY = {}
local null_value = nil -- What null is read as: nil, or json.null for files.

local SHORT = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }
local MEANT = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }
local DEPTH_LIMIT = 100

local function quoted(text)
    local safe = text:gsub('[%z\1-\31"\\\127]', function(sign)
        return SHORT[sign] or string.format("\\u%04x", sign:byte())
    end)
    return '"' .. safe .. '"'
end

local function number_text(number)
    if number ~= number or number == math.huge or number == -math.huge then
        error({ sentence = "Resolve gave a number that is none; open the timeline anew" })
    end
    if number == math.floor(number) and math.abs(number) < 2 ^ 53 then
        return string.format("%d", number)
    end
    -- Where the system writes a decimal comma, so may Lua.
    return (string.format("%.17g", number):gsub(",", "."))
end

-- A table with a first element, or that was read as one, is an array; any other an object.
function json.encode(value)
    local kind = type(value)
    if kind == "string" then
        return quoted(value)
    elseif kind == "number" then
        return number_text(value)
    elseif kind == "boolean" then
        return tostring(value)
    elseif kind ~= "table" then
        error({ sentence = "a " .. kind .. " cannot be sent to Cleanplate" })
    end
    if value == json.null then
        return "null"
    end
    local parts = {}
    if value[1] ~= nil or getmetatable(value) == ARRAY then
        for index = 1, #value do
            parts[index] = json.encode(value[index])
        end
        return "[" .. table.concat(parts, ",") .. "]"
    end
    for name, each in pairs(value) do
        parts[#parts + 1] = quoted(tostring(name)) .. ":" .. json.encode(each)
    end
    table.sort(parts)
    return "{" .. table.concat(parts, ",") .. "}"
end

local function utf8_of(code)
    if code < 0x80 then
        return string.char(code)
    elseif code < 0x800 then
        return string.char(0xC0 + math.floor(code / 0x40), 0x80 + code % 0x40)
    elseif code < 0x10000 then
        return string.char(0xE0 + math.floor(code / 0x1000), 0x80 + math.floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
    end
    return string.char(
        0xF0 + math.floor(code / 0x40000), 0x80 + math.floor(code / 0x1000) % 0x40,
        0x80 + math.floor(code / 0x40) % 0x40, 0x80 + code % 0x40
    )
end

local function refuse(at)
    error({ json = "not JSON at byte " .. at })
end

-- Gives the character of \uXXXX at `at` (the u), and where it ends; two halves make one character.
local function escaped(text, at)
    local code = tonumber(text:match("^u(%x%x%x%x)", at) or refuse(at), 16)
    if code >= 0xD800 and code < 0xDC00 then
        local low = tonumber(text:match("^\\u(%x%x%x%x)", at + 5) or "0", 16)
        if low >= 0xDC00 and low < 0xE000 then
            return utf8_of(0x10000 + (code - 0xD800) * 0x400 + (low - 0xDC00)), at + 11
        end
    end
    return utf8_of(code), at + 5
end

local function read_string(text, at)
    local parts = {}
    while true do
        local stop = text:find('["\\]', at) or refuse(at)
        parts[#parts + 1] = text:sub(at, stop - 1)
        if text:sub(stop, stop) == '"' then
            return table.concat(parts), stop + 1
        end
        local sign = text:sub(stop + 1, stop + 1)
        if sign == "u" then
            parts[#parts + 1], at = escaped(text, stop + 1)
        else
            parts[#parts + 1], at = MEANT[sign] or refuse(stop), stop + 2
        end
    end
end

local function skip(text, at)
    return text:find("[^ \t\r\n]", at) or #text + 1
end

local read_value

-- Reads what stands between brackets; `read_one` takes one element in.
local function read_many(text, at, close, read_one)
    at = skip(text, at)
    if text:sub(at, at) == close then
        return at + 1
    end
    while true do
        at = skip(text, read_one(at))
        local sign = text:sub(at, at)
        if sign == close then
            return at + 1
        elseif sign ~= "," then
            refuse(at)
        end
        at = skip(text, at + 1)
    end
end

local function read_object(text, at, depth)
    local object = {}
    local stop = read_many(text, at, "}", function(here)
        if text:sub(here, here) ~= '"' then
            refuse(here)
        end
        local name
        name, here = read_string(text, here + 1)
        here = skip(text, here)
        if text:sub(here, here) ~= ":" then
            refuse(here)
        end
        object[name], here = read_value(text, skip(text, here + 1), depth)
        return here
    end)
    return object, stop
end

local function read_array(text, at, depth)
    local array, count = setmetatable({}, ARRAY), 0
    local stop = read_many(text, at, "]", function(here)
        count = count + 1
        array[count], here = read_value(text, here, depth)
        return here
    end)
    return array, stop
end

local WORDS = { ["true"] = true, ["false"] = false }

function read_value(text, at, depth)
    if depth > DEPTH_LIMIT then
        refuse(at)
    end
    local sign = text:sub(at, at)
    if sign == "{" then
        return read_object(text, at + 1, depth + 1)
    elseif sign == "[" then
        return read_array(text, at + 1, depth + 1)
    elseif sign == '"' then
        return read_string(text, at + 1)
    end
    local word = text:match("^%a+", at)
    if word == "null" then
        return null_value, at + 4
    elseif word and WORDS[word] ~= nil then
        return WORDS[word], at + #word
    end
    local digits = text:match("^-?%d+%.?%d*[eE]?[+-]?%d*", at)
    local number = digits and tonumber(digits)
    if not number then
        refuse(at)
    end
    return number, at + #digits
end

-- Gives the value, or nil and what is wrong.
function json.decode(text, keeps_null)
    null_value = keeps_null and json.null or nil
    local fine, value, stop = pcall(read_value, text, skip(text, 1), 0)
    if not fine then
        return nil, type(value) == "table" and value.json or tostring(value)
    end
    if skip(text, stop) <= #text then
        return nil, "not JSON at byte " .. stop
    end
    return value
end

return json
