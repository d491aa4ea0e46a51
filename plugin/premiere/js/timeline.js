/** The whole timeline as plain values, so that what a change did can be read back; and changes as one undo step. */

import { ask, castClip, clipsOn, videoTrackCount } from "./host.js";
import { PanelError } from "./messages.js";
import { ticksOf } from "./ticks.js";

/** @import { Action, AudioClipTrackItem, premierepro, Project, Sequence, TrackItemSelection, VideoClipTrackItem } from "@adobe/premierepro" */

/**
 * One item, as values.
 * @typedef {object} Entry
 * @property {VideoClipTrackItem | AudioClipTrackItem} item dies with the next change, as all of Premiere's objects do
 * @property {number} trackIndex
 * @property {string} name
 * @property {bigint} start
 * @property {bigint} end
 * @property {bigint} inPoint
 * @property {boolean} disabled
 * @property {string} projectItemId
 * @property {string} mediaPath
 */

/** @typedef {{ video: Entry[][], audio: Entry[][] }} Timeline */

/**
 * Reads every clip of a sequence.
 * @param {premierepro} ppro
 * @param {Sequence} sequence
 * @returns {Promise<Timeline>}
 */
export async function readTimeline(ppro, sequence) {
  const video = [];
  const videoCount = await videoTrackCount(sequence);
  for (let index = 0; index < videoCount; index++) {
    const items = (await clipsOn(ppro, sequence, index)).map((clip) => clip.item);
    video.push(await entriesOf(ppro, items, index));
  }
  const audio = [];
  const audioCount = await ask("getAudioTrackCount", () => sequence.getAudioTrackCount());
  for (let index = 0; index < audioCount; index++) {
    const track = await ask("getAudioTrack", () => sequence.getAudioTrack(index));
    const items = await ask("getTrackItems", () => track.getTrackItems(ppro.Constants.TrackItemType.CLIP, false));
    audio.push(await entriesOf(ppro, items, index));
  }
  return { video, audio };
}

/**
 * What a change added and took away; an item that was changed is in both.
 * @param {Entry[][]} before
 * @param {Entry[][]} after
 * @returns {{ added: Entry[], gone: Entry[] }}
 */
export function difference(before, after) {
  const had = new Set(before.flat().map(signature));
  const has = new Set(after.flat().map(signature));
  return {
    added: after.flat().filter((entry) => !had.has(signature(entry))),
    gone: before.flat().filter((entry) => !has.has(signature(entry))),
  };
}

/**
 * All that tells one item from another.
 * @param {Entry} entry
 * @returns {string}
 */
export function signature(entry) {
  const { trackIndex, start, end, inPoint, disabled, projectItemId } = entry;
  return [trackIndex, start, end, inPoint, disabled, projectItemId].join("|");
}

/**
 * Does all or nothing, as one undo step.
 *
 * Actions must be made while the project is locked, and nothing may be thrown through the lock.
 * @param {Project} project
 * @param {string} name of the undo step
 * @param {() => Action[]} make
 * @throws {unknown} what Premiere threw, or that it refused
 */
export function change(project, name, make) {
  /** @type {unknown} */
  let failure = new PanelError("said", { text: "it answered false" });
  project.lockedAccess(() => {
    try {
      const actions = make();
      const done = project.executeTransaction((compound) => actions.forEach((each) => compound.addAction(each)), name);
      if (done) failure = null;
    } catch (error) {
      failure = error;
    }
  });
  if (failure !== null) throw failure;
}

/**
 * As `change`, with a selection, which lives within the lock alone.
 * @param {premierepro} ppro
 * @param {Project} project
 * @param {string} name of the undo step
 * @param {(Entry)[]} entries to be selected
 * @param {(selection: TrackItemSelection) => Action[]} make
 */
export function changeSelected(ppro, project, name, entries, make) {
  change(project, name, () => {
    /** @type {Action[]} */
    let actions = [];
    ppro.TrackItemSelection.createEmptySelection((selection) => {
      entries.forEach((entry) => selection.addItem(entry.item, false));
      actions = make(selection);
    });
    return actions;
  });
}

/**
 * Removes items and leaves gaps; with them, other actions.
 * @param {premierepro} ppro
 * @param {Project} project
 * @param {Sequence} sequence
 * @param {{ name: string, entries: Entry[], sound?: boolean, more?: () => Action[] }} what
 */
export function removeItems(ppro, project, sequence, { name, entries, sound = false, more = () => [] }) {
  const editor = ppro.SequenceEditor.getEditor(sequence);
  const { AUDIO, VIDEO } = ppro.Constants.MediaType;
  changeSelected(ppro, project, name, entries, (selection) => [
    editor.createRemoveItemsAction(selection, false, sound ? AUDIO : VIDEO, false),
    ...more(),
  ]);
}

/**
 * @param {premierepro} ppro
 * @param {(VideoClipTrackItem | AudioClipTrackItem)[]} items
 * @param {number} trackIndex
 * @returns {Promise<Entry[]>}
 */
async function entriesOf(ppro, items, trackIndex) {
  const entries = [];
  for (const item of items) {
    const projectItem = await ask("getProjectItem", () => item.getProjectItem());
    const clip = castClip(ppro, projectItem);
    entries.push({
      item,
      trackIndex,
      name: await ask("getName", () => item.getName()),
      start: ticksOf(await ask("getStartTime", () => item.getStartTime())),
      end: ticksOf(await ask("getEndTime", () => item.getEndTime())),
      inPoint: ticksOf(await ask("getInPoint", () => item.getInPoint())),
      disabled: await ask("isDisabled", () => item.isDisabled()),
      projectItemId: projectItem ? projectItem.getId() : "",
      mediaPath: clip ? await ask("getMediaFilePath", () => clip.getMediaFilePath()) : "",
    });
  }
  return entries;
}
