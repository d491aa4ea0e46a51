import assert from "node:assert/strict";
import { test } from "node:test";

import { say } from "../../../plugin/premiere/js/messages.js";
import { placeTake } from "../../../plugin/premiere/js/place.js";
import { restoreOriginal } from "../../../plugin/premiere/js/restore.js";
import { announced, CLEAN, noWait, placement, stage, ticks } from "./stage.js";

/** @import { Placement } from "../../../plugin/premiere/js/types.d.ts" */
/** @import { FakePremiere } from "./fake_premiere.js" */

/**
 * Places, and gives the sentence.
 * @param {FakePremiere} host
 * @param {Partial<Placement>} [more]
 */
async function place(host, more) {
  const facts = await announced(host);
  const told = await placeTake(host.module, { facts, placement: placement(more), wait: noWait });
  return told.map(([code, values]) => say("en", code, values)).join("");
}

/**
 * Nothing is placed, the timeline is as it was, and the sentence says so.
 * @param {FakePremiere} host
 * @param {RegExp} why
 * @param {Partial<Placement>} [more]
 */
async function refused(host, why, more) {
  const before = host.picture;
  await assert.rejects(place(host, more), why);
  assert.equal(host.picture, before);
  assert.equal(host.lockStuck, false);
}

/** @param {FakePremiere} host */
function cleanItem(host) {
  const pid = host.state.media.find((each) => each.path === CLEAN)?.pid;
  return host.state.items.filter((item) => item.pid === pid);
}

test("the clean clip lies over the original, which is disabled; one undo goes back", async () => {
  const { host, shot } = stage();
  const before = host.picture;
  const said = await place(host);
  const [clean, ...others] = cleanItem(host);
  assert.deepEqual(others, []);
  assert.deepEqual([clean.track, clean.start, clean.end, clean.inPoint], [1, ticks(100), ticks(150), ticks(12)]);
  assert.equal(host.item(shot).disabled, true);
  assert.match(said, /'dog.mov' is clean: .* on V2.*undo once/);
  assert.equal(host.undo(), "Cleanplate: dog.mov");
  assert.equal(host.picture, before);
});

test("its marker says what was done and can be told from a person's own", async () => {
  const { host } = stage();
  await place(host);
  const [marker] = host.state.markers;
  assert.deepEqual([marker.name, marker.start, marker.duration], ["Cleanplate", ticks(100), ticks(50)]);
  assert.match(marker.comments, /^dog_cp001; inpaint embedded\n\{"cleanplate":"cleanplate:7"/);
});

test("a part lies over the part and the original stays enabled", async () => {
  const { host, shot } = stage();
  const part = { record_offset: "5", record_frame_count: "20", start_frame: "12", whole_clip: false };
  const said = await place(host, part);
  const [clean] = cleanItem(host);
  assert.deepEqual([clean.start, clean.end, clean.inPoint], [ticks(105), ticks(125), ticks(12)]);
  assert.equal(host.item(shot).disabled, false);
  assert.match(said, /over the original; undo once/);
});

test("a patch lies over the whole clip and the original stays enabled", async () => {
  const { host, shot } = stage();
  await place(host, { delivery: "DELIVERY_PATCH" });
  assert.equal(host.item(shot).disabled, false);
  assert.equal(cleanItem(host).length, 1);
});

test("the first free track above is taken, and a new one where none is", async () => {
  const { host, cat } = stage();
  host.addItem(cat, { start: 160, count: 10, track: 1 });
  await place(host);
  assert.equal(cleanItem(host)[0].track, 2);

  const full = stage().host;
  for (const track of [1, 2]) full.addItem(cat, { start: 100, count: 50, track, disabled: true });
  await place(full);
  assert.equal(cleanItem(full)[0].track, 3);
  assert.equal(full.state.videoTracks, 4);
});

test("a title above is not hidden", async () => {
  const { host, cat, shot } = stage();
  host.addItem(cat, { start: 140, count: 40, track: 1, name: "Title" });
  host.item(shot).selected = true;
  await refused(host, /'Title' on V2 lies over 'dog.mov'.*move it up/);
});

test("a take on a take is laid above it", async () => {
  const { host } = stage();
  await place(host);
  host.disk.set("/media/again.mov", { duration: ticks(74) });
  await place(host, { path: "/media/again.mov" });
  assert.equal(host.state.items.find((item) => item.name === "again.mov")?.track, 2);
  assert.equal(cleanItem(host)[0].disabled, true);
});

test("media that appears late is waited for, media already there is not imported again", async () => {
  const { host } = stage({ importAfter: 7 });
  await place(host);
  const count = host.state.media.length;
  host.undo();
  host.disk.clear();
  await place(host);
  assert.equal(host.state.media.length, count);
});

test("points that were left on the clean file do not matter", async () => {
  const { host } = stage();
  host.addMedia({ path: CLEAN, duration: ticks(74), inPoint: ticks(3), outPoint: ticks(9) });
  await place(host);
  assert.equal(cleanItem(host)[0].inPoint, ticks(12));
});

test("points that count from the timecode give the same frames", async () => {
  const { host } = stage({ timecodePoints: true });
  await place(host);
  const [clean] = cleanItem(host);
  assert.deepEqual([clean.inPoint, clean.end - clean.start], [ticks(12), ticks(50)]);
});

test("media of another rate changes frames together with the original", async () => {
  const { host, dog, shot } = stage();
  const frame = 254016000000n / 24n;
  host.mediaOf(host.state, dog).rate = 24;
  host.disk.set(CLEAN, { rate: 24, duration: 74n * frame });
  host.item(shot).inPoint = 10n * frame + frame / 3n;
  await place(host, { record_offset: "1", record_frame_count: "20", whole_clip: false });
  const [clean] = cleanItem(host);
  const original = host.item(shot).inPoint + ticks(1);
  assert.equal(clean.inPoint / frame, 12n);
  assert.equal(clean.inPoint % frame, original % frame);
});

test("sound that comes along is taken off, other sound stays", async () => {
  const { host } = stage();
  host.disk.set(CLEAN, { duration: ticks(74), sound: true });
  const before = host.picture;
  const said = await place(host);
  assert.match(said, /carries sound.*undo twice/);
  assert.deepEqual(
    cleanItem(host).map((item) => item.kind),
    ["video"],
  );
  assert.equal(host.state.items.filter((item) => item.kind === "audio").length, 1);
  host.undo();
  host.undo();
  assert.equal(host.picture, before);
});

test("effects of the original are named, for they are not on the clean clip", async () => {
  const { host, shot } = stage();
  host.item(shot).effects = { "AE.ADBE Motion": [65], "AE.ADBE Opacity": [100], "AE.ADBE Lumetri": [1] };
  assert.match(await place(host), /carries effects \(Motion, Lumetri\)/);
  const other = stage();
  other.host.rejecting.add("getComponentChain");
  assert.match(await place(other.host), /effects of the original could not be read/);
});

test("a clip that was edited since is not touched", async () => {
  const { host, shot, ppro } = stage();
  const facts = await announced(host);
  const edits = /** @type {Partial<import("./fake_premiere.js").ItemState>[]} */ ([
    { start: ticks(101) },
    { end: ticks(149) },
    { inPoint: ticks(11) },
    { disabled: true },
    { speed: 2 },
    { track: 1 },
  ]);
  for (const edit of edits) {
    const kept = { ...host.item(shot) };
    Object.assign(host.item(shot), edit);
    const before = host.picture;
    await assert.rejects(placeTake(ppro, { facts, placement: placement(), wait: noWait }), /was edited since it was sent/);
    assert.equal(host.picture, before);
    assert.deepEqual(host.state.markers, []);
    Object.assign(host.item(shot), kept);
  }
});

test("a clip that is removed at the very last moment is not placed over", async () => {
  const { host, shot } = stage();
  const facts = await announced(host);
  host.addMedia({ path: CLEAN, duration: ticks(74) });
  // The first two transactions set points in the bin.
  host.meanwhile = () => {
    host.meanwhile = () => {
      host.meanwhile = () => {
        host.state.items = host.state.items.filter((item) => item.uid !== shot);
      };
    };
  };
  await assert.rejects(placeTake(host.module, { facts, placement: placement(), wait: noWait }));
  assert.deepEqual(cleanItem(host), []);
});

test("a project that may not be written is left alone", async () => {
  await refused(stage({ readOnly: true }).host, /Premiere refused .*nothing was placed/);
  await refused(stage({ throwsInTransaction: true }).host, /Premiere refused \(Script action failed to execute\)/);
});

test("locked tracks are left alone, told or not", async () => {
  for (const locked of ["video0", "video1"]) {
    const { host } = stage();
    host.lockedTracks.add(locked);
    await refused(host, /Premiere refused .*no track is locked/);
  }
  const silent = stage({ lockedSilently: true }).host;
  silent.lockedTracks.add("video1");
  await refused(silent, /something else than it was asked to \(0 clean clips\), so it was taken out again/);
});

test("a length that is not what was meant is taken out again, neighbours untouched", async () => {
  const { host, cat } = stage({ ignoresPoints: true });
  host.addItem(cat, { start: 152, count: 20, track: 1 });
  await refused(host, /something else .*ticks on the sequence.*taken out again/);
});

test("a track that is not made is said, and the original enabled again", async () => {
  const { host, cat } = stage({ noNewTracks: true });
  for (const track of [1, 2]) host.addItem(cat, { start: 100, count: 50, track, disabled: true });
  await refused(host, /0 clean clips.*taken out again/);
});

test("a change of more than was asked for says to undo", async () => {
  const { host } = stage({ switchesMore: true });
  await assert.rejects(place(host), /changed more than it was asked to .*Edit > Undo/);
  const low = stage({ ignoresTrack: true }).host;
  const part = { record_offset: "5", record_frame_count: "20", whole_clip: false };
  await assert.rejects(place(low, part), /changed more than it was asked to .*Edit > Undo/);
});

test("sound that cannot be taken off says to undo", async () => {
  const { host } = stage({ soundCannotGo: true });
  host.disk.set(CLEAN, { duration: ticks(74), sound: true });
  await assert.rejects(place(host), /Edit > Undo/);
});

test("media that is missing, too short or of another rate is not placed", async () => {
  const missing = stage().host;
  missing.disk.clear();
  await refused(missing, /dog_cp001.mov is not there or cannot be imported/);
  const short = stage().host;
  short.disk.set(CLEAN, { duration: ticks(61) });
  await refused(short, /too short for 'dog.mov'/);
  const other = stage().host;
  other.disk.set(CLEAN, { duration: ticks(74), rate: 23.976 });
  await refused(other, /23.976 frames a second where 'dog.mov' has 25/);
});

test("restore takes the clean clip out and enables the original, one undo", async () => {
  const { host, ppro, shot } = stage();
  const before = host.picture;
  await place(host);
  const clean = host.picture;
  assert.deepEqual(await restoreOriginal(ppro), [["restored", { clip: "dog.mov" }]]);
  assert.equal(host.picture, before);
  assert.equal(host.item(shot).disabled, false);
  host.undo();
  assert.equal(host.picture, clean);
});

test("restore of a part leaves the original as it is", async () => {
  const { host, ppro } = stage();
  const before = host.picture;
  await place(host, { record_offset: "15", record_frame_count: "10", whole_clip: false });
  await restoreOriginal(ppro);
  assert.equal(host.picture, before);
});

test("restore without a clean clip, without original, or refused changes nothing", async () => {
  const { host, ppro, shot } = stage();
  host.state.markers.push({ name: "mine", start: ticks(100), duration: 0n, comments: "{ not ours", guid: "m" });
  await assert.rejects(restoreOriginal(ppro), /no clean clip of ours under the playhead/);
  await place(host);
  const before = host.picture;
  host.lockedTracks.add("video1");
  await assert.rejects(restoreOriginal(ppro), /refused to restore/);
  assert.equal(host.picture, before);
  host.lockedTracks.clear();
  host.state.items = host.state.items.filter((item) => item.uid !== shot);
  const gone = host.picture;
  await assert.rejects(restoreOriginal(ppro), /original of 'dog_cp001.mov' is no longer below it/);
  assert.equal(host.picture, gone);
});

test("any clip on any edit is covered exactly, or nothing changes", async () => {
  let seed = 7;
  const draw = (/** @type {number} */ below) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  let placed = 0;
  for (let round = 0; round < 60; round++) {
    const { host, cat, shot } = stage();
    for (let extra = draw(4); extra > 0; extra--) {
      const [track, start, count] = [1 + draw(3), draw(240), 1 + draw(60)];
      const taken = host.state.items.some(
        (item) => item.track === track && item.start < ticks(start + count) && ticks(start) < item.end,
      );
      if (!taken) host.addItem(cat, { track, start, count, disabled: draw(2) === 0 });
    }
    host.state.videoTracks = 4;
    host.item(shot).selected = true;
    const before = host.picture;
    try {
      await place(host);
      placed++;
      host.undo();
    } catch (error) {
      assert.match(String(error), /lies over/);
    }
    assert.equal(host.picture, before);
  }
  assert.ok(placed > 10);
});
