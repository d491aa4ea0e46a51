-- The two menu items: from the clip under the playhead to clean media in its place, and back.
local api = require("cleanplate.api")
local facts = require("cleanplate.facts")
local gateway = require("cleanplate.gateway")
local placing = require("cleanplate.placing")
local sockets = require("cleanplate.sockets")

local menu = {}

local WAIT_SECONDS = 1
local GONE_TRIES = 15

local function say(sentence)
    print("Cleanplate: " .. sentence)
end

-- Lets Resolve work on while we wait, where it offers that.
local function wait(seconds)
    if bmd and bmd.wait then
        bmd.wait(seconds)
    else
        sockets.sleep(seconds)
    end
end

local OPENERS = {
    OSX = "open '%s'",
    Linux = "xdg-open '%s' >/dev/null 2>&1 &",
    Windows = 'start "" "%s"',
}

-- Opens a page in the browser. The address was built by the gateway module, which lets no sign pass that a shell heeds.
local function open_page(address)
    local fine = bmd and bmd.openurl and pcall(bmd.openurl, address)
    if not fine and OPENERS[jit.os] then
        os.execute(OPENERS[jit.os]:format(address))
    end
    say("click what is to go, at " .. address)
end

-- Asks after the shot; a server that is gone for a moment, or was started again, is waited for.
local function ask_after(gate, name)
    for attempt = 1, GONE_TRIES do
        local fine, answer = pcall(gate.call, gate, "GET", "/v1/" .. name)
        if fine then
            return answer
        elseif not (type(answer) == "table" and answer.gone) or attempt == GONE_TRIES then
            error(answer, 0)
        end
        wait(WAIT_SECONDS)
        gate:renew()
    end
    return nil
end

-- Waits until there is something to place; nil when the person has given up.
local function wait_until_ready(gate, shot)
    local told
    while true do
        if shot.state == "READY" then
            return shot
        elseif shot.state == "CANCELLED" then
            return nil
        elseif shot.state == "PLACED" then
            api.fail("this shot was placed already")
        elseif shot.state == "FAILED" and shot.message ~= told then
            told = shot.message
            say(tostring(told) .. " (you may change the clicks on the page and try again, or cancel there)")
        end
        wait(WAIT_SECONDS)
        shot = ask_after(gate, shot.name)
    end
end

-- The gateway's numbers of 64 bits come as text.
local function numbers_of(placement)
    local plain = {}
    for name, value in pairs(placement) do
        plain[name] = value
    end
    for _, name in ipairs({ "start_frame", "frame_count", "record_offset", "record_frame_count" }) do
        plain[name] = tonumber(placement[name]) or api.fail("the Cleanplate server gave no " .. name .. "; bring server and plug-in to one version")
    end
    return plain
end

local function place(resolve, gate, shot, announced)
    local desk = api.open_desk(resolve)
    local item = api.find_item(desk, announced.item.id)
    if not item then
        api.fail("the clip is not on the current timeline, so nothing was placed; open its timeline, or clean it again")
    end
    local now = facts.of_item(desk, item)
    gate:call("POST", "/v1/" .. shot.name .. "/check", { name = shot.name, resolve = now })
    return placing.place(desk, { item = item, facts = now, placement = numbers_of(shot.placement) })
end

local function report(gate, shot, state, message)
    local fine, raised = pcall(gate.call, gate, "POST", "/v1/" .. shot.name .. "/report", {
        name = shot.name, state = state, message = message,
    })
    if not fine then
        say("the server was not told of it (" .. api.sentence(raised) .. ")")
    end
end

local function remove(resolve, state_folder)
    local announced = facts.current(api.open_desk(resolve))
    local gate = gateway.open(state_folder)
    local shot = gate:call("POST", "/v1/shots", { resolve = announced })
    if not tostring(shot.name):match("^shots/[%w_%-]+$") then
        api.fail("the Cleanplate server gave the shot no name; bring server and plug-in to one version")
    end
    open_page(gate:address_of(shot.page))
    local ready = wait_until_ready(gate, shot)
    if not ready then
        return "given up; nothing was changed"
    end
    local fine, answer = pcall(place, resolve, gate, ready, announced)
    report(gate, ready, fine and "PLACED" or "FAILED", fine and answer or api.sentence(answer))
    if not fine then
        error(answer, 0)
    end
    return answer
end

-- Runs one menu item; the one place where everything that was raised ends, as a sentence.
local function run(work, ...)
    local fine, answer = pcall(work, ...)
    say(fine and answer or api.sentence(answer))
    return fine
end

function menu.remove(resolve, state_folder)
    return run(remove, resolve, state_folder)
end

function menu.restore(resolve)
    return run(function()
        return placing.restore(api.open_desk(resolve))
    end)
end

return menu
