/** Asks Premiere: what stands under the playhead, told as the API told it. Nothing here changes a project. */

import { PanelError, wordsOf } from "./messages.js";
import { ticksOf } from "./ticks.js";

/** @import { ClipProjectItem, premierepro, Project, ProjectItem, Sequence, TickTime, VideoClipTrackItem, VideoTrack } from "@adobe/premierepro" */
/** @import { Facts, ItemFacts, SequenceFacts, TransitionFacts } from "./types.d.ts" */

/**
 * A clip on a video track.
 * @typedef {object} Clip
 * @property {VideoClipTrackItem} item
 * @property {number} trackIndex
 * @property {bigint} start
 * @property {bigint} end
 */

/** Codes of Premiere's drop-frame displays: 29.97 and 59.94. */
const DROP_FRAME_DISPLAYS = [102, 106];

/**
 * Awaits one answer of Premiere.
 * @template T
 * @param {string} call its name, for the person
 * @param {() => T | Promise<T>} question
 * @returns {Promise<T>}
 */
export async function ask(call, question) {
  try {
    return await question();
  } catch (error) {
    throw new PanelError("noAnswer", { call, why: wordsOf(error) });
  }
}

/**
 * The open project.
 * @param {premierepro} ppro
 * @returns {Promise<Project>}
 */
export async function openProject(ppro) {
  const project = await ask("getActiveProject", () => ppro.Project.getActiveProject());
  if (!project) throw new PanelError("noProject");
  return project;
}

/**
 * The sequence that is looked at.
 * @param {Project} project
 * @returns {Promise<Sequence>}
 */
export async function activeSequence(project) {
  const sequence = await ask("getActiveSequence", () => project.getActiveSequence());
  if (!sequence) throw new PanelError("noSequence");
  return sequence;
}

/**
 * The sequence that a shot was taken from, whether it is looked at or not.
 * @param {Project} project
 * @param {SequenceFacts} told
 * @returns {Promise<Sequence>}
 */
export async function sequenceOf(project, told) {
  const sequences = await ask("getSequences", () => project.getSequences());
  const found = sequences.find((sequence) => sequence.guid.toString() === told.id);
  if (!found) throw new PanelError("sequenceGone", { sequence: told.name });
  return found;
}

/**
 * Collects what the server is to know.
 * @param {premierepro} ppro
 * @param {string} version of the host
 * @returns {Promise<Facts>} without item where nothing stands under the playhead
 */
export async function collectFacts(ppro, version) {
  const sequence = await activeSequence(await openProject(ppro));
  const told = await sequenceFacts(sequence);
  const clip = meant(await clipsAt(ppro, sequence, BigInt(told.player_ticks)));
  return clip ? { version, sequence: told, item: await itemFacts(ppro, sequence, clip.clip) } : { version, sequence: told };
}

/**
 * Collects anew what is known of a clip that was sent before.
 *
 * The playhead may be anywhere by now, so it and the in and out points are told as they were.
 * @param {premierepro} ppro
 * @param {Facts} before
 * @returns {Promise<Facts>} without item where nothing begins there any more
 */
export async function collectAgain(ppro, before) {
  const sequence = await sequenceOf(await openProject(ppro), before.sequence);
  const told = await sequenceFacts(sequence);
  const clip = await findClip(ppro, sequence, before);
  const facts = { version: before.version, sequence: { ...before.sequence, ticks_per_frame: told.ticks_per_frame } };
  return clip ? { ...facts, item: await itemFacts(ppro, sequence, clip) } : facts;
}

/**
 * Finds a clip by where it stands; names are not unique.
 * @param {premierepro} ppro
 * @param {Sequence} sequence
 * @param {Facts} facts
 * @returns {Promise<Clip | undefined>}
 */
export async function findClip(ppro, sequence, facts) {
  const told = facts.item;
  if (!told || told.track_index >= (await videoTrackCount(sequence))) return undefined;
  const clips = await clipsOn(ppro, sequence, told.track_index);
  return clips.find((clip) => clip.start === BigInt(told.start_ticks) && clip.end === BigInt(told.end_ticks));
}

/**
 * The clips of one video track.
 * @param {premierepro} ppro
 * @param {Sequence} sequence
 * @param {number} trackIndex
 * @returns {Promise<Clip[]>}
 */
export async function clipsOn(ppro, sequence, trackIndex) {
  const track = await ask("getVideoTrack", () => sequence.getVideoTrack(trackIndex));
  return placesOf(await itemsOf(track, ppro.Constants.TrackItemType.CLIP), trackIndex);
}

/**
 * How many video tracks there are.
 * @param {Sequence} sequence
 * @returns {Promise<number>}
 */
export async function videoTrackCount(sequence) {
  return ask("getVideoTrackCount", () => sequence.getVideoTrackCount());
}

/**
 * The project item of a clip, as one that may have a file.
 * @param {premierepro} ppro
 * @param {ProjectItem | null} item
 * @returns {ClipProjectItem | null} null for what has no project item or is no clip
 */
export function castClip(ppro, item) {
  if (!item) return null;
  try {
    return ppro.ClipProjectItem.cast(item) || null;
  } catch {
    return null; // Titles and bins are no clips, which Premiere says by throwing.
  }
}

/**
 * @param {Sequence} sequence
 * @returns {Promise<SequenceFacts>}
 */
async function sequenceFacts(sequence) {
  const zero = ticksOf(await ask("getZeroPoint", () => sequence.getZeroPoint()));
  const end = ticksOf(await ask("getEndTime", () => sequence.getEndTime()));
  const position = ticksOf(await ask("getPlayerPosition", () => sequence.getPlayerPosition()));
  const display = await ask("getSequenceVideoTimeDisplayFormat", () => sequence.getSequenceVideoTimeDisplayFormat());
  return {
    id: sequence.guid.toString(),
    name: sequence.name,
    ticks_per_frame: BigInt(await ask("getTimebase", () => sequence.getTimebase())).toString(),
    zero_ticks: zero.toString(),
    drop_frame: DROP_FRAME_DISPLAYS.includes(display.type),
    // Documented from the sequence's start. A position beyond the end that fits without the zero point was told with it.
    player_ticks: (zero > 0n && position >= end && position >= zero ? position - zero : position).toString(),
    ...(await inAndOut(sequence)),
    video_track_count: await videoTrackCount(sequence),
  };
}

/**
 * @param {Sequence} sequence
 * @returns {Promise<{ in_ticks?: string, out_ticks?: string }>}
 */
async function inAndOut(sequence) {
  const first = setPoint(await ask("getInPoint", () => sequence.getInPoint()));
  const stop = setPoint(await ask("getOutPoint", () => sequence.getOutPoint()));
  if (first !== null && stop !== null && stop <= first) return {};
  return {
    ...(first === null ? {} : { in_ticks: first.toString() }),
    ...(stop === null ? {} : { out_ticks: stop.toString() }),
  };
}

/**
 * Points that are not set are told as a time before the sequence.
 * @param {TickTime | null} time
 * @returns {bigint | null}
 */
function setPoint(time) {
  const ticks = time ? ticksOf(time) : -1n;
  return ticks < 0n ? null : ticks;
}

/**
 * @param {premierepro} ppro
 * @param {Sequence} sequence
 * @param {bigint} position
 * @returns {Promise<{ clip: Clip, selected: boolean, disabled: boolean }[]>} lowest track first
 */
async function clipsAt(ppro, sequence, position) {
  const found = [];
  const count = await videoTrackCount(sequence);
  for (let index = 0; index < count; index++) {
    for (const clip of await clipsOn(ppro, sequence, index)) {
      if (clip.start > position || position >= clip.end) continue;
      const selected = await ask("getIsSelected", () => clip.item.getIsSelected());
      const disabled = await ask("isDisabled", () => clip.item.isDisabled());
      found.push({ clip, selected, disabled });
    }
  }
  return found;
}

/**
 * The clip that is meant: the only one selected, else the uppermost that is seen, else the uppermost.
 * @param {{ clip: Clip, selected: boolean, disabled: boolean }[]} standing
 */
export function meant(standing) {
  const selected = standing.filter((each) => each.selected);
  if (selected.length === 1) return selected[0];
  const seen = standing.filter((each) => !each.disabled);
  return (seen.length ? seen : standing).at(-1);
}

/**
 * @param {premierepro} ppro
 * @param {Sequence} sequence
 * @param {Clip} clip
 * @returns {Promise<ItemFacts>}
 */
async function itemFacts(ppro, sequence, { item, trackIndex, start, end }) {
  const track = await ask("getVideoTrack", () => sequence.getVideoTrack(trackIndex));
  const locked = await lockOf(track);
  return {
    id: `${trackIndex}@${start}`,
    name: await ask("getName", () => item.getName()),
    track_index: trackIndex,
    ...(locked === null ? {} : { track_locked: locked }),
    disabled: await ask("isDisabled", () => item.isDisabled()),
    start_ticks: start.toString(),
    end_ticks: end.toString(),
    in_ticks: ticksOf(await ask("getInPoint", () => item.getInPoint())).toString(),
    out_ticks: ticksOf(await ask("getOutPoint", () => item.getOutPoint())).toString(),
    speed: await ask("getSpeed", () => item.getSpeed()),
    reversed: Boolean(await ask("isSpeedReversed", () => item.isSpeedReversed())),
    adjustment_layer: await ask("isAdjustmentLayer", () => item.isAdjustmentLayer()),
    ...(await mediaFacts(ppro, await ask("getProjectItem", () => item.getProjectItem()))),
    transitions: await transitionsOn(ppro, track, start, end),
  };
}

/**
 * @param {premierepro} ppro
 * @param {ProjectItem | null} projectItem
 */
async function mediaFacts(ppro, projectItem) {
  const none = {
    has_media: false,
    is_sequence: false,
    is_multicam: false,
    is_offline: false,
    is_merged: false,
    is_subclip: false,
    media_path: "",
    project_item_id: projectItem ? projectItem.getId() : "",
    media_frame_rate: 0,
    media_start_ticks: "0",
    media_duration_ticks: "0",
  };
  const clip = castClip(ppro, projectItem);
  if (!projectItem || !clip) return none;
  const kinds = {
    is_sequence: await ask("isSequence", () => clip.isSequence()),
    is_multicam: await ask("isMulticamClip", () => clip.isMulticamClip()),
    is_merged: await ask("isMergedClip", () => clip.isMergedClip()),
  };
  if (kinds.is_sequence || kinds.is_multicam || kinds.is_merged) return { ...none, ...kinds };
  const path = await ask("getMediaFilePath", () => clip.getMediaFilePath());
  if (!path) return { ...none, ...kinds };
  const offline = await ask("isOffline", () => clip.isOffline());
  if (offline) return { ...none, ...kinds, has_media: true, is_offline: true, media_path: path };
  const media = await ask("getMedia", () => clip.getMedia());
  return {
    ...none,
    ...kinds,
    has_media: true,
    is_subclip: await isSubclip(clip, projectItem, path),
    media_path: path,
    media_frame_rate: await footageRate(clip),
    media_start_ticks: ticksOf(media.start).toString(),
    media_duration_ticks: ticksOf(media.duration).toString(),
  };
}

/**
 * Frames a second of a clip's footage, as interpreted.
 * @param {ClipProjectItem} clip
 * @returns {Promise<number>}
 */
export async function footageRate(clip) {
  const footage = await ask("getFootageInterpretation", () => clip.getFootageInterpretation());
  return footage.getFrameRate();
}

/**
 * A subclip is found when subclips are looked for and is not when they are left out.
 * @param {ClipProjectItem} clip
 * @param {ProjectItem} projectItem
 * @param {string} path
 */
async function isSubclip(clip, projectItem, path) {
  const call = "findItemsMatchingMediaPath";
  const id = projectItem.getId();
  const all = await ask(call, () => clip.findItemsMatchingMediaPath(path, false));
  const whole = await ask(call, () => clip.findItemsMatchingMediaPath(path, true));
  return all.some((item) => item.getId() === id) && !whole.some((item) => item.getId() === id);
}

/**
 * @param {premierepro} ppro
 * @param {VideoTrack} track
 * @param {bigint} start
 * @param {bigint} end
 * @returns {Promise<TransitionFacts[]>}
 */
async function transitionsOn(ppro, track, start, end) {
  const items = await itemsOf(track, ppro.Constants.TrackItemType.TRANSITION);
  return (await placesOf(items, 0))
    .filter((each) => each.start <= end && start <= each.end)
    .map((each) => ({ start_ticks: each.start.toString(), end_ticks: each.end.toString() }));
}

/**
 * @param {VideoTrack} track
 * @param {import("@adobe/premierepro").Constants.TrackItemType} type
 */
async function itemsOf(track, type) {
  return ask("getTrackItems", () => track.getTrackItems(type, false));
}

/**
 * @param {VideoClipTrackItem[]} items
 * @param {number} trackIndex
 * @returns {Promise<Clip[]>}
 */
async function placesOf(items, trackIndex) {
  const places = [];
  for (const item of items) {
    const start = ticksOf(await ask("getStartTime", () => item.getStartTime()));
    const end = ticksOf(await ask("getEndTime", () => item.getEndTime()));
    places.push({ item, trackIndex, start, end });
  }
  return places;
}

/**
 * Whether a track is locked. The published API of 26.3 does not say, so it is asked for only where there is something to ask.
 * @param {VideoTrack} track
 * @returns {Promise<boolean | null>}
 */
async function lockOf(track) {
  const { isLocked } = /** @type {VideoTrack & { isLocked?: () => Promise<boolean> }} */ (track);
  return isLocked ? ask("isLocked", () => isLocked.call(track)) : null;
}
