-- Runs one installed menu script in a program of our own making, and prints what became of its timeline.
-- arg: the script, the scenario's file, where an opened page is written down.
local ffi = require("ffi")

package.path = arg[0]:match("^(.*)/") .. "/?.lua;" .. package.path
local json = dofile(arg[4] .. "/cleanplate/json.lua")
local fake = require("fake_resolve")
fake.use_json(json)

local function read(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("*a")
    file:close()
    return text
end

ffi.cdef("int usleep(unsigned int microseconds);")
local scenario = assert(json.decode(read(arg[2])))
local program = fake.start(scenario)
local waits = 0

resolve = program.resolve
bmd = {
    openurl = function(address)
        local file = assert(io.open(arg[3], "wb"))
        file:write(address)
        file:close()
    end,
    wait = function()
        waits = waits + 1
        if waits == scenario.edit_at_wait then
            program.edit(scenario.edit)
        end
        ffi.C.usleep(30000)
    end,
}
if scenario.no_bmd then
    bmd = nil
end
dofile(arg[1])
if scenario.next_script then
    dofile(scenario.next_script)
end
print("STATE " .. json.encode(program.state()))
