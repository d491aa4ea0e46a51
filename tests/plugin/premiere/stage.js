/** A small edit to work on: three clips in a row, one above, sound below; and a clean file on disk. */

import { collectFacts } from "../../../plugin/premiere/js/host.js";
import { FakePremiere } from "./fake_premiere.js";

/** @import { Facts, Placement } from "../../../plugin/premiere/js/types.d.ts" */

/** Ticks of a frame at 25 a second. */
export const TICK = 10160640000n;
export const CLEAN = "/media/Cleanplate/dog_cp001.mov";

/** @param {number} frames */
export function ticks(frames) {
  return BigInt(frames) * TICK;
}

/**
 * The edit. The middle clip, frames 100 to 149, is the one that is meant; the playhead is on its frame 20.
 * @param {Partial<FakePremiere["quirks"]>} [quirks]
 */
export function stage(quirks = {}) {
  const host = new FakePremiere(TICK);
  Object.assign(host.quirks, quirks);
  const dog = host.addMedia({ path: "/media/dog.mov", start: ticks(90000), sound: true });
  const cat = host.addMedia({ path: "/media/cat.mov" });
  host.addItem(cat, { start: 0, count: 100, source: 50 });
  const shot = host.addItem(dog, { start: 100, count: 50, source: 10 });
  host.addItem(cat, { start: 150, count: 60 });
  host.addItem(cat, { start: 0, count: 210, kind: "audio" });
  host.disk.set(CLEAN, { start: ticks(89998), duration: ticks(74) });
  host.player = ticks(120);
  return { host, ppro: host.module, shot, dog, cat };
}

/** The clean file has 12 spare frames before. @param {Partial<Placement>} [more] @returns {Placement} */
export function placement(more = {}) {
  return {
    path: CLEAN,
    start_frame: "12",
    frame_count: "50",
    record_offset: "0",
    record_frame_count: "50",
    whole_clip: true,
    delivery: "DELIVERY_PLATE",
    marker_name: "Cleanplate",
    marker_note: "dog_cp001; inpaint embedded",
    marker_data: "cleanplate:7",
    ...more,
  };
}

/** @param {FakePremiere} host @returns {Promise<Facts>} */
export function announced(host) {
  return collectFacts(host.module, "26.3.0");
}

/** Time that passes at once. */
export async function noWait() {}
