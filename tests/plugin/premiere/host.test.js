import assert from "node:assert/strict";
import { test } from "node:test";

import { collectAgain, collectFacts } from "../../../plugin/premiere/js/host.js";
import { PanelError } from "../../../plugin/premiere/js/messages.js";
import { footageTicks, TICKS_PER_SECOND } from "../../../plugin/premiere/js/ticks.js";
import { announced, stage, ticks } from "./stage.js";

test("facts of a plain clip are told as Premiere told them", async () => {
  const { host, dog } = stage();
  host.state.transitions.push({ start: ticks(95), end: ticks(105), track: 0 });
  host.state.transitions.push({ start: ticks(0), end: ticks(5), track: 0 });
  assert.deepEqual(await announced(host), {
    version: "26.3.0",
    sequence: {
      id: "seq-1",
      name: "Edit",
      ticks_per_frame: "10160640000",
      zero_ticks: "0",
      drop_frame: false,
      player_ticks: ticks(120).toString(),
      video_track_count: 3,
    },
    item: {
      id: `0@${ticks(100)}`,
      name: "dog.mov",
      track_index: 0,
      disabled: false,
      start_ticks: ticks(100).toString(),
      end_ticks: ticks(150).toString(),
      in_ticks: ticks(10).toString(),
      out_ticks: ticks(60).toString(),
      speed: 1,
      reversed: false,
      adjustment_layer: false,
      has_media: true,
      is_sequence: false,
      is_multicam: false,
      is_offline: false,
      is_merged: false,
      is_subclip: false,
      media_path: "/media/dog.mov",
      project_item_id: dog,
      media_frame_rate: 25,
      media_start_ticks: ticks(90000).toString(),
      media_duration_ticks: ticks(500).toString(),
      transitions: [{ start_ticks: ticks(95).toString(), end_ticks: ticks(105).toString() }],
    },
  });
});

test("an hour of ticks stays exact beyond what a number holds", async () => {
  const { host, dog } = stage();
  host.addItem(dog, { start: 90_000_001, count: 3, track: 1, source: 1 });
  host.player = ticks(90_000_001);
  const { item } = await announced(host);
  assert.ok(ticks(90_000_001) > BigInt(Number.MAX_SAFE_INTEGER));
  assert.equal(item?.start_ticks, ticks(90_000_001).toString());
});

test("a gap gives no item, a closed sequence and no project one sentence", async () => {
  const { host, ppro } = stage();
  host.player = ticks(1000);
  assert.equal((await announced(host)).item, undefined);
  host.sequenceOpen = false;
  await assert.rejects(collectFacts(ppro, "26.3.0"), /no sequence is open/);
  host.projectOpen = false;
  await assert.rejects(collectFacts(ppro, "26.3.0"), /no project is open/);
});

test("the uppermost clip that is seen is meant, or the one that is selected", async () => {
  const { host, cat, shot } = stage();
  const above = host.addItem(cat, { start: 90, count: 80, track: 1, name: "grade", adjustment: true });
  assert.equal((await announced(host)).item?.adjustment_layer, true);
  host.item(shot).selected = true;
  assert.equal((await announced(host)).item?.name, "dog.mov");
  host.item(above).selected = true;
  assert.equal((await announced(host)).item?.name, "grade");
  host.item(shot).selected = host.item(above).selected = false;
  host.item(above).disabled = true;
  assert.equal((await announced(host)).item?.name, "dog.mov");
});

for (const kind of /** @type {const} */ (["sequence", "multicam", "merged", "title"])) {
  test(`a ${kind} is told as one, without media`, async () => {
    const { host, dog } = stage();
    host.mediaOf(host.state, dog).kind = kind;
    const { item } = await announced(host);
    assert.ok(item);
    assert.equal(item.has_media, false);
    assert.deepEqual(
      [item.is_sequence, item.is_multicam, item.is_merged],
      [kind === "sequence", kind === "multicam", kind === "merged"],
    );
  });
}

test("offline media, subclips and retimes are told", async () => {
  const { host, dog, shot } = stage();
  Object.assign(host.item(shot), { speed: 0.5, reversed: true });
  host.mediaOf(host.state, dog).subclip = true;
  const { item } = await announced(host);
  assert.deepEqual([item?.is_subclip, item?.speed, item?.reversed], [true, 0.5, true]);
  host.mediaOf(host.state, dog).offline = true;
  assert.equal((await announced(host)).item?.is_offline, true);
});

test("a locked track is told where Premiere tells it and left open where it does not", async () => {
  const { host } = stage();
  host.lockedTracks.add("video0");
  assert.equal((await announced(host)).item?.track_locked, undefined);
  host.quirks.locksTold = true;
  assert.equal((await announced(host)).item?.track_locked, true);
});

test("in and out points are told when they are set", async () => {
  const { host } = stage();
  host.inPoint = ticks(110);
  host.outPoint = ticks(130);
  const { sequence } = await announced(host);
  assert.deepEqual([sequence.in_ticks, sequence.out_ticks], [ticks(110).toString(), ticks(130).toString()]);
  host.outPoint = ticks(110);
  assert.equal((await announced(host)).sequence.in_ticks, undefined);
});

test("a playhead told with the start timecode is counted from the start", async () => {
  const { host } = stage({ playerWithZero: true });
  host.zero = ticks(90000);
  const facts = await announced(host);
  assert.equal(facts.sequence.player_ticks, ticks(120).toString());
  assert.equal(facts.item?.name, "dog.mov");
});

test("every getter that fails is named in one sentence", async () => {
  const getters = ["getTimebase", "getPlayerPosition", "getTrackItems", "getName", "getSpeed", "getInPoint", "isOffline"];
  getters.push("getMedia", "getMediaFilePath", "isMulticamClip", "findItemsMatchingMediaPath", "getFootageInterpretation");
  for (const getter of getters) {
    const { host } = stage();
    host.rejecting.add(getter);
    await assert.rejects(announced(host), (error) => {
      assert.ok(error instanceof PanelError);
      assert.match(error.message, new RegExp(`did not answer ${getter} .*try again$`));
      return true;
    });
  }
});

test("a clip is found again by where it stands, not by its name or the playhead", async () => {
  const { host, ppro, cat, dog, shot } = stage();
  host.addItem(dog, { start: 300, count: 50, source: 10 });
  host.addItem(cat, { start: 100, count: 50, track: 1, name: "dog.mov", disabled: true });
  const before = await announced(host);
  host.player = ticks(310);
  host.sequenceOpen = false;
  const again = await collectAgain(ppro, before);
  assert.deepEqual(again, before);
  host.item(shot).start += ticks(1);
  assert.equal((await collectAgain(ppro, before)).item, undefined);
  host.sequenceId = "seq-2";
  await assert.rejects(collectAgain(ppro, before), /sequence 'Edit' is not in the open project/);
});

test("footage rates told as numbers are whole ticks", () => {
  for (const [told, count, per] of [
    [23.976, 24000n, 1001n],
    [23.976023976, 24000n, 1001n],
    [24, 24n, 1n],
    [25, 25n, 1n],
    [29.97, 30000n, 1001n],
    [59.94, 60000n, 1001n],
    [119.88, 120000n, 1001n],
    [12.5, 25n, 2n],
  ]) {
    assert.equal(footageTicks(Number(told)), (TICKS_PER_SECOND * BigInt(per)) / BigInt(count), String(told));
  }
  for (const told of [0, -1, 17.3, Number.NaN, Infinity]) assert.equal(footageTicks(told), null);
});
