/** Puts a clean clip over its original as one undo step, reads it back, and takes it out again when it is not right. */

import { collectAgain, openProject, sequenceOf } from "./host.js";
import { findProjectItem, prepareMedia } from "./media.js";
import { PanelError, wordsOf } from "./messages.js";
import { differingEffects } from "./effects.js";
import { addMarkerAction, isRecordOf } from "./record.js";
import { change, difference, readTimeline, removeItems, signature } from "./timeline.js";
import { timeOf } from "./ticks.js";

/** @import { Action, premierepro, Project, Sequence, VideoClipTrackItem } from "@adobe/premierepro" */
/** @import { Facts, ItemFacts, Placement } from "./types.d.ts" */
/** @import { Prepared } from "./media.js" */
/** @import { Entry, Timeline } from "./timeline.js" */
/** @import { Code, Values } from "./messages.js" */

/** What a person is told, to be said in their language. @typedef {[Code, Values]} Told */

/**
 * What is meant on the timeline.
 * @typedef {object} Plan
 * @property {string} clip name of the original
 * @property {number} trackIndex where the clean clip goes
 * @property {bigint} start
 * @property {bigint} end
 * @property {Entry} original
 * @property {boolean} disable whether the original is to be disabled
 * @property {Prepared} media
 */

/**
 * Places clean media over the clip that was announced.
 * @param {premierepro} ppro
 * @param {{ facts: Facts, placement: Placement, wait: (ms: number) => Promise<void> }} what
 * @returns {Promise<Told[]>} what was done, and how to go back
 * @throws {PanelError} nothing was placed, or it was taken out again
 */
export async function placeTake(ppro, { facts, placement, wait }) {
  const original = /** @type {ItemFacts} */ (facts.item);
  const ticksPerFrame = BigInt(facts.sequence.ticks_per_frame);
  await refuseEdited(ppro, facts);
  const media = await prepareMedia(ppro, { placement, original, ticksPerFrame, wait });
  await refuseEdited(ppro, facts);

  const { project, sequence } = await handles(ppro, facts);
  const before = await readTimeline(ppro, sequence);
  const plan = planned(before, facts, placement, media);
  await overwrite(ppro, { project, sequence, facts, before, plan, placement });
  const hadSound = await settle(ppro, facts, before, plan);
  return tell(ppro, facts, plan, hadSound);
}

/**
 * Chooses where the clean clip goes.
 *
 * It must see over the original and nothing may be hidden by it, so it takes the first track above that is free. That
 * track is kept free for all of the file: where Premiere overlooks in and out points, nothing is overwritten.
 * @param {Timeline} before
 * @param {Facts} facts
 * @param {Placement} placement
 * @param {Prepared} media
 * @returns {Plan}
 */
function planned(before, facts, placement, media) {
  const told = /** @type {ItemFacts} */ (facts.item);
  const tick = BigInt(facts.sequence.ticks_per_frame);
  const start = BigInt(told.start_ticks) + BigInt(placement.record_offset) * tick;
  const end = start + media.length;
  const reach = start + media.fileLength;
  const original = before.video[told.track_index].find((entry) => entry.start === BigInt(told.start_ticks));
  if (!original) throw new PanelError("stale", { clip: told.name });
  let trackIndex = told.track_index + 1;
  for (; trackIndex < before.video.length; trackIndex++) {
    const track = before.video[trackIndex];
    if (!track.some((entry) => overlaps(entry, start, reach))) break;
    const over = track.find((entry) => !entry.disabled && overlaps(entry, start, end));
    if (over) throw new PanelError("covered", { name: over.name, track: trackIndex + 1, clip: told.name });
  }
  const disable = placement.whole_clip && placement.delivery === "DELIVERY_PLATE";
  return { clip: told.name, trackIndex, start, end, original, disable, media };
}

/**
 * @param {premierepro} ppro
 * @param {{ project: Project, sequence: Sequence, facts: Facts, before: Timeline, plan: Plan, placement: Placement }} what
 */
async function overwrite(ppro, { project, sequence, facts, before, plan, placement }) {
  const { projectItemId } = plan.media;
  const item = await findProjectItem(ppro, project, (each) => each.getId() === projectItemId);
  if (!item) throw new PanelError("noMedia", { path: placement.path });
  const markers = await ppro.Markers.getMarkers(sequence);
  const editor = ppro.SequenceEditor.getEditor(sequence);
  // No number says "no sound", and low ones would overwrite an audio track; one past the last makes a track of its own.
  const audioIndex = before.audio.length;
  try {
    change(project, `Cleanplate: ${plan.clip}`, () => [
      editor.createOverwriteItemAction(item, timeOf(ppro, plan.start), plan.trackIndex, audioIndex),
      ...switchAction(plan.original, plan.disable),
      addMarkerAction(ppro, markers, { plan, placement }),
    ]);
  } catch (error) {
    await undoPlacing(ppro, { facts, before, plan, why: wordsOf(error), code: "refused" });
  }
}

/**
 * Reads back, takes sound off, and undoes everything when the timeline is not as it was meant to be.
 * @param {premierepro} ppro
 * @param {Facts} facts
 * @param {Timeline} before
 * @param {Plan} plan
 * @returns {Promise<boolean>} whether sound had come along
 */
async function settle(ppro, facts, before, plan) {
  let hadSound = false;
  try {
    hadSound = await takeOffSound(ppro, facts, before, plan);
  } catch (error) {
    await undoPlacing(ppro, { facts, before, plan, why: wordsOf(error), code: "undone" });
  }
  const { sequence } = await handles(ppro, facts);
  const why = wrongWith(before, await readTimeline(ppro, sequence), plan);
  if (why) await undoPlacing(ppro, { facts, before, plan, why, code: "undone" });
  return hadSound;
}

/**
 * What is not as it was meant, in a few words; empty when all is.
 * @param {Timeline} before
 * @param {Timeline} after
 * @param {Plan} plan
 */
function wrongWith(before, after, plan) {
  const picture = difference(before.video, after.video);
  const sound = difference(before.audio, after.audio);
  if (sound.added.length || sound.gone.length) return `audio changed: ${names([...sound.gone, ...sound.added])}`;
  const { inPoint, mediaStart } = plan.media;
  const placed = picture.added.filter((entry) => entry.projectItemId === plan.media.projectItemId);
  if (placed.length !== 1) return `${placed.length} clean clips`;
  const [clean] = placed;
  if (clean.trackIndex !== plan.trackIndex) return `on V${clean.trackIndex + 1} instead of V${plan.trackIndex + 1}`;
  if (clean.start !== plan.start || clean.end !== plan.end) return `${clean.start}-${clean.end} ticks on the sequence`;
  if (clean.inPoint !== inPoint && clean.inPoint !== inPoint + mediaStart) return `in point ${clean.inPoint} ticks`;
  if (clean.disabled) return "the clean clip is disabled";
  const switched = signature({ ...plan.original, disabled: plan.disable || plan.original.disabled });
  const others = picture.added.filter((entry) => entry !== clean && signature(entry) !== switched);
  const lost = picture.gone.filter((entry) => !plan.disable || signature(entry) !== signature(plan.original));
  if (others.length || lost.length) return `other clips changed: ${names([...lost, ...others])}`;
  return after.video.flat().some((entry) => signature(entry) === switched) ? "" : "the original is not disabled";
}

/**
 * Takes out what was placed and enables the original again, then says what had happened.
 * @param {premierepro} ppro
 * @param {{ facts: Facts, before: Timeline, plan: Plan, why: string, code: "refused" | "undone" }} what
 * @returns {Promise<never>}
 */
async function undoPlacing(ppro, { facts, before, plan, why, code }) {
  try {
    await takeBackPicture(ppro, facts, before, plan);
    await takeOffSound(ppro, facts, before, plan);
  } catch (error) {
    throw new PanelError("damaged", { why: `${why}; ${wordsOf(error)}` });
  }
  const { sequence } = await handles(ppro, facts);
  const after = await readTimeline(ppro, sequence);
  const changes = [difference(before.video, after.video), difference(before.audio, after.audio)];
  if (changes.some((each) => each.added.length || each.gone.length)) throw new PanelError("damaged", { why });
  throw new PanelError(code, { why });
}

/**
 * @param {premierepro} ppro
 * @param {Facts} facts
 * @param {Timeline} before
 * @param {Plan} plan
 */
async function takeBackPicture(ppro, facts, before, plan) {
  const { project, sequence } = await handles(ppro, facts);
  const picture = difference(before.video, (await readTimeline(ppro, sequence)).video).added;
  const ours = picture.filter((entry) => isOurs(entry, plan));
  const original = picture.find((entry) => sameButSwitch(entry, plan.original));
  const markers = await ppro.Markers.getMarkers(sequence);
  const added = markers.getMarkers().filter((marker) => isRecordOf(marker, plan));
  const back = () => [
    ...(original ? switchAction(original, plan.original.disabled) : []),
    ...added.map((marker) => markers.createRemoveMarkerAction(marker)),
  ];
  const name = "Cleanplate: take back";
  if (ours.length) removeItems(ppro, project, sequence, { name, entries: ours, more: back });
  else if (original || added.length) change(project, name, back);
}

/**
 * Takes off the sound that came along with the picture.
 * @param {premierepro} ppro
 * @param {Facts} facts
 * @param {Timeline} before
 * @param {Plan} plan
 * @returns {Promise<boolean>} whether there was any
 */
async function takeOffSound(ppro, facts, before, plan) {
  const { project, sequence } = await handles(ppro, facts);
  const { added } = difference(before.audio, (await readTimeline(ppro, sequence)).audio);
  const entries = added.filter((entry) => isOurs(entry, plan));
  if (entries.length) removeItems(ppro, project, sequence, { name: "Cleanplate: sound", entries, sound: true });
  return entries.length > 0;
}

/**
 * @param {premierepro} ppro
 * @param {Facts} facts
 * @param {Plan} plan
 * @param {boolean} hadSound
 * @returns {Promise<Told[]>}
 */
async function tell(ppro, facts, plan, hadSound) {
  /** @type {Told[]} */
  const told = [[plan.disable ? "placed" : "placedAbove", { clip: plan.clip, track: plan.trackIndex + 1 }]];
  if (hadSound) told.push(["placedSound", {}]);
  const { sequence } = await handles(ppro, facts);
  const now = (await readTimeline(ppro, sequence)).video;
  const original = now[plan.original.trackIndex].find((entry) => entry.start === plan.original.start);
  const clean = now[plan.trackIndex].find((entry) => entry.start === plan.start);
  const effects = original && clean ? await differingEffects(ppro, video(original), video(clean)) : null;
  if (effects === null) told.push(["placedEffectsUnread", {}]);
  else if (effects.length) told.push(["placedEffects", { names: effects.join(", ") }]);
  return told;
}

/**
 * Project and sequence as live objects: each change of the project kills those that were got before.
 * @param {premierepro} ppro
 * @param {Facts} facts
 */
async function handles(ppro, facts) {
  const project = await openProject(ppro);
  return { project, sequence: await sequenceOf(project, facts.sequence) };
}

/**
 * @param {premierepro} ppro
 * @param {Facts} facts
 */
async function refuseEdited(ppro, facts) {
  const now = await collectAgain(ppro, facts);
  if (JSON.stringify(now.item) !== JSON.stringify(facts.item)) {
    throw new PanelError("stale", { clip: facts.item ? facts.item.name : "" });
  }
}

/**
 * @param {Entry} entry
 * @param {boolean} disabled
 * @returns {Action[]} none when it is already so
 */
export function switchAction(entry, disabled) {
  return entry.disabled === disabled ? [] : [video(entry).createSetDisabledAction(disabled)];
}

/**
 * @param {Entry} entry
 */
function video(entry) {
  return /** @type {VideoClipTrackItem} */ (entry.item);
}

/**
 * @param {Entry} entry
 * @param {Plan} plan
 */
function isOurs(entry, plan) {
  return entry.projectItemId === plan.media.projectItemId;
}

/**
 * @param {Entry} a
 * @param {Entry} b
 */
function sameButSwitch(a, b) {
  return signature({ ...a, disabled: false }) === signature({ ...b, disabled: false });
}

/**
 * @param {Entry} entry
 * @param {bigint} start
 * @param {bigint} end
 */
function overlaps(entry, start, end) {
  return entry.start < end && start < entry.end;
}

/**
 * @param {Entry[]} entries
 */
function names(entries) {
  return entries.map((entry) => `'${entry.name}'`).join(", ");
}
