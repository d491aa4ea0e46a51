import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Flow } from "../../../plugin/premiere/js/flow.js";
import { Gateway } from "../../../plugin/premiere/js/gateway.js";
import { PanelError } from "../../../plugin/premiere/js/messages.js";
import { FakeGateway } from "./fake_gateway.js";
import { FakeKeeper } from "./fake_uxp.js";
import { noWait, placement, stage, ticks } from "./stage.js";

/** @type {FakeGateway} */
let server;

beforeEach(async () => {
  server = new FakeGateway();
  await server.start();
});

afterEach(() => server.stop());

/**
 * A panel on the stage.
 * @param {ReturnType<typeof stage>} [on]
 * @param {FakeKeeper} [keeper]
 */
function panel(on = stage(), keeper = new FakeKeeper()) {
  /** @type {string[]} */
  const shown = [];
  /** @type {string[]} */
  const opened = [];
  const gateway = new Gateway({ connect: async () => server.connection, fetch, wait: noWait });
  const flow = new Flow({
    ppro: on.ppro,
    gateway,
    keeper,
    version: "26.3.0",
    locale: "en",
    openPage: async (url) => ((opened.push(url), "")),
    wait: noWait,
    show: (sentence) => shown.push(sentence),
  });
  return { flow, shown, opened, keeper, last: () => shown.at(-1) ?? "" };
}

const STAGES = [{ stage: "inpaint", done_frame_count: "12", frame_count: "74" }];

test("a shot goes from the playhead to the clean clip", async () => {
  const on = stage();
  server.way = [
    { state: "WAITING" },
    { state: "WORKING" },
    { state: "WORKING", job: { stages: STAGES } },
    { state: "READY", placement: placement() },
  ];
  const { flow, shown, opened, keeper } = panel(on);
  await flow.clean();
  assert.deepEqual(opened, [`http://127.0.0.1:${server.port}/shots/s1#code`]);
  assert.ok(shown.some((said) => said.includes("click on what is to go")));
  assert.ok(shown.includes("dog.mov: inpaint 12 of 74."));
  assert.match(shown.at(-1) ?? "", /'dog.mov' is clean/);
  assert.equal(on.host.state.markers.length, 1);
  assert.equal(server.reported("PLACED").length, 1);
  assert.equal(keeper.kept.size, 0);
});

test("what the gateway refuses is shown in its words and nothing is kept", async () => {
  const on = stage();
  on.host.player = ticks(1000);
  const { flow, last, keeper } = panel(on);
  await flow.clean();
  assert.equal(last(), "nothing stands under the playhead in sequence 'Edit'");
  assert.equal(keeper.kept.size, 0);
});

test("a server that goes away right after placing does not hide that it was placed", async () => {
  const on = stage();
  server.way = [{ state: "READY", placement: placement() }];
  on.host.meanwhile = () => void server.stop();
  const { flow, last, keeper } = panel(on);
  await flow.clean();
  assert.match(last(), /'dog.mov' is clean/);
  assert.equal(on.host.state.markers.length, 1);
  assert.equal(keeper.kept.size, 0);
});

test("a first request that stalls is tried again", async () => {
  server.stalls = 3;
  server.way = [{ state: "READY", placement: placement() }];
  const { flow, last } = panel();
  await flow.clean();
  assert.match(last(), /is clean/);
});

test("a server that is not there is said with what to do", async () => {
  await server.stop();
  const { flow, last } = panel();
  await flow.clean();
  assert.match(last(), /no Cleanplate server answers; start one/);
});

test("a server that goes away in mid-job leaves the timeline and the shot, which can go on", async () => {
  const on = stage();
  const before = on.host.picture;
  server.way = [{ state: "WORKING" }, { state: "WORKING" }, { state: "READY", placement: placement() }];
  server.onLook = (looks) => {
    if (looks === 1) void server.stop();
  };
  const { flow, last, keeper } = panel(on);
  await flow.clean();
  assert.match(last(), /the server went away while it worked/);
  assert.equal(on.host.picture, before);
  assert.equal(flow.pending?.shot, "shots/s1");

  // It is started again: another port, another token, the shot known.
  server.onLook = null;
  server.token = "secret-2";
  await server.start();
  const again = panel(on, keeper);
  await again.flow.resume();
  assert.match(again.last(), /is clean/);
});

test("a server that was started anew and knows nothing ends the shot", async () => {
  server.way = [{ state: "WORKING" }];
  server.onLook = (looks) => {
    if (looks === 1) server.shots.clear();
  };
  const { flow, last } = panel();
  await flow.clean();
  assert.match(last(), /no longer knows this shot/);
  assert.equal(flow.pending, null);
});

test("a panel that was closed in mid-job goes on with the shot", async () => {
  const on = stage();
  const first = panel(on);
  server.way = [{ state: "WAITING" }];
  const keeper = first.keeper;
  const stopped = first.flow.clean();
  while (!first.flow.pending) await new Promise((resolve) => setTimeout(resolve, 1));
  const copy = new FakeKeeper();
  copy.kept = new Map(keeper.kept);
  await first.flow.giveUp();
  await stopped;

  server.way = [{ state: "READY", placement: placement() }];
  on.host.player = ticks(10);
  const second = panel(on, copy);
  assert.equal(second.flow.pending?.clip, "dog.mov");
  await second.flow.resume();
  assert.match(second.last(), /'dog.mov' is clean/);
});

test("a clip that was edited while the job ran is refused and reported", async () => {
  const on = stage();
  server.way = [{ state: "WORKING" }, { state: "READY", placement: placement() }];
  server.onLook = (looks) => {
    if (looks === 1) on.host.item(on.shot).inPoint += ticks(1);
  };
  const { flow, last, keeper } = panel(on);
  await flow.clean();
  assert.match(last(), /edited after Cleanplate had looked at it/);
  assert.deepEqual(on.host.state.markers, []);
  assert.equal(on.host.imports.length + on.host.history.length, 0);
  assert.equal(server.reported("FAILED").length, 1);
  assert.equal(keeper.kept.size, 0);
});

test("a clip that is gone is refused and reported", async () => {
  const on = stage();
  server.way = [{ state: "READY", placement: placement() }];
  server.onLook = () => {
    on.host.state.items = on.host.state.items.filter((item) => item.uid !== on.shot);
  };
  const { flow, last } = panel(on);
  await flow.clean();
  assert.match(last(), /clip 'dog.mov' was edited since it was sent, so nothing was placed/);
  assert.equal(server.reported("FAILED").length, 1);
});

test("what a person can put right keeps the clean media ready", async () => {
  const on = stage();
  on.host.lockedTracks.add("video1");
  server.way = [{ state: "READY", placement: placement() }];
  const { flow, last } = panel(on);
  await flow.clean();
  assert.match(last(), /no track is locked/);
  assert.equal(server.reported("FAILED").length, 0);
  on.host.lockedTracks.clear();
  await flow.resume();
  assert.match(last(), /is clean/);
});

test("a job that failed waits for other prompts", async () => {
  server.way = [
    { state: "FAILED", message: "the click is on nothing; click again" },
    { state: "WORKING", message: "" },
    { state: "READY", placement: placement() },
  ];
  const { flow, shown } = panel();
  await flow.clean();
  assert.ok(shown.includes("the click is on nothing; click again"));
  assert.match(shown.at(-1) ?? "", /is clean/);
});

test("a shot that was given up on the page ends", async () => {
  const on = stage();
  server.way = [{ state: "WAITING" }, { state: "CANCELLED" }];
  const { flow, last } = panel(on);
  await flow.clean();
  assert.match(last(), /was given up/);
  assert.equal(flow.pending, null);
});

test("a shot that is given up in the panel is told to the gateway", async () => {
  const { flow, last } = panel();
  server.way = [{ state: "WAITING" }];
  const cleaning = flow.clean();
  while (!flow.pending) await new Promise((resolve) => setTimeout(resolve, 1));
  await flow.giveUp();
  await cleaning;
  assert.match(last(), /'dog.mov' was given up; nothing was placed/);
  assert.equal(server.reported("CANCELLED").length, 1);
});

test("a wrong token is said in the gateway's words", async () => {
  const gateway = new Gateway({
    connect: async () => ({ ...server.connection, token: "old" }),
    fetch,
    wait: noWait,
  });
  await assert.rejects(gateway.shot("shots/s1"), (error) => {
    assert.ok(error instanceof PanelError);
    assert.equal(error.message, "the token is wrong");
    return true;
  });
});

test("restore is told in one sentence", async () => {
  const { flow, last } = panel();
  await flow.restore();
  assert.match(last(), /no clean clip of ours/);
});
