-- Lets a test look at single modules. arg: the modules' folder, then `json` or `get` with a port.
package.path = arg[1] .. "/?.lua;" .. package.path
local json = require("cleanplate.json")

if arg[2] == "json" then
    for line in io.lines() do
        local value, why = json.decode(line)
        print(value ~= nil and json.encode(value) or "refused: " .. tostring(why))
    end
else
    local answer = require("cleanplate.http").request({ port = tonumber(arg[3]), method = "GET", path = "/", seconds = 2 })
    print(answer and answer.status .. " " .. answer.body or "nothing")
end
