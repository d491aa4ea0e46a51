/** Brings a clean file into the project and sets what of it is to be shown. Timelines are not touched here. */

import { ask, castClip, footageRate, openProject } from "./host.js";
import { PanelError, wordsOf } from "./messages.js";
import { change } from "./timeline.js";
import { footageTicks, ticksOf, timeOf } from "./ticks.js";

/** @import { ClipProjectItem, premierepro, Project, ProjectItem } from "@adobe/premierepro" */
/** @import { ItemFacts, Placement } from "./types.d.ts" */

/**
 * A clean file that is ready to be placed.
 * @typedef {object} Prepared
 * @property {string} projectItemId
 * @property {bigint} inPoint from the file's first frame
 * @property {bigint} length what of it is shown
 * @property {bigint} fileLength all of it
 * @property {bigint} mediaStart its timecode, by which an in point might be told
 */

/** Tries, and milliseconds between them, for an imported file to appear in the project. */
const LOOKS = 20;
const LOOK_MILLISECONDS = 250;

/**
 * Imports the clean file unless it is there, and sets its in and out points.
 *
 * Importing is no action, so it cannot be part of the undo step that changes the timeline; and an action does not see
 * what another of the same step did, so the points must be set by a step of their own. Both concern the project panel
 * alone.
 * @param {premierepro} ppro
 * @param {{ placement: Placement, original: ItemFacts, ticksPerFrame: bigint, wait: (ms: number) => Promise<void> }} what
 * @returns {Promise<Prepared>}
 * @throws {PanelError} it is not there, has another rate, is too short
 */
export async function prepareMedia(ppro, { placement, original, ticksPerFrame, wait }) {
  const projectItem = await imported(ppro, placement.path, wait);
  const clip = /** @type {ClipProjectItem} */ (castClip(ppro, projectItem));
  const frame = await commonFrame(clip, original);
  const inPoint = BigInt(placement.start_frame) * frame + withinFrame(placement, original, ticksPerFrame, frame);
  const length = BigInt(placement.record_frame_count) * ticksPerFrame;
  const media = await ask("getMedia", () => clip.getMedia());
  const fileLength = ticksOf(media.duration);
  const mediaStart = ticksOf(media.start);
  if (inPoint + length > fileLength) {
    const values = { clip: original.name, have: fileLength.toString(), need: (inPoint + length).toString() };
    throw new PanelError("tooShort", values);
  }
  const prepared = { projectItemId: projectItem.getId(), inPoint, length, fileLength, mediaStart };
  await setPoints(ppro, placement, prepared);
  return prepared;
}

/**
 * Finds a project item by its id, anew: objects die with every change of the project.
 * @param {premierepro} ppro
 * @param {Project} project
 * @param {(item: ProjectItem) => boolean | Promise<boolean>} wanted
 * @returns {Promise<ProjectItem | null>}
 */
export async function findProjectItem(ppro, project, wanted) {
  const folders = [await ask("getRootItem", () => project.getRootItem())];
  for (let folder = folders.shift(); folder; folder = folders.shift()) {
    const items = await ask("getItems", () => /** @type {NonNullable<typeof folder>} */ (folder).getItems());
    for (const item of items) {
      if (await wanted(item)) return item;
      if (item.type === ppro.ProjectItem.TYPE_BIN) folders.push(ppro.FolderItem.cast(item));
    }
  }
  return null;
}

/**
 * @param {premierepro} ppro
 * @param {string} path
 * @param {(ms: number) => Promise<void>} wait
 * @returns {Promise<ProjectItem>}
 */
async function imported(ppro, path, wait) {
  const there = await findByPath(ppro, path);
  if (there) return there;
  const project = await openProject(ppro);
  const root = ppro.ProjectItem.cast(await ask("getRootItem", () => project.getRootItem()));
  await ask("importFiles", () => project.importFiles([path], true, root, false));
  // The answer is no proof: the item is, and may take a while to appear.
  for (let look = 0; look < LOOKS; look++) {
    const found = await findByPath(ppro, path);
    if (found) return found;
    await wait(LOOK_MILLISECONDS);
  }
  throw new PanelError("noMedia", { path });
}

/**
 * @param {premierepro} ppro
 * @param {string} path
 */
async function findByPath(ppro, path) {
  const wanted = comparable(path);
  return findProjectItem(ppro, await openProject(ppro), async (item) => {
    const clip = castClip(ppro, item);
    if (!clip || (await ask("isSequence", () => clip.isSequence()))) return false;
    if (comparable(await ask("getMediaFilePath", () => clip.getMediaFilePath())) !== wanted) return false;
    return !(await ask("isOffline", () => clip.isOffline()));
  });
}

/**
 * Windows' paths come with either slash, and with a long-path prefix.
 * @param {string} path
 */
export function comparable(path) {
  return path.replace(/^\\\\\?\\/, "").replaceAll("\\", "/").normalize("NFC");
}

/**
 * The ticks of a frame, the same for the clean file as for the original.
 * @param {ClipProjectItem} clip
 * @param {ItemFacts} original
 * @returns {Promise<bigint>}
 */
async function commonFrame(clip, original) {
  const rate = await footageRate(clip);
  const frame = footageTicks(rate);
  if (frame === null || frame !== footageTicks(original.media_frame_rate)) {
    throw new PanelError("wrongRate", { clip: original.name, rate, wanted: original.media_frame_rate });
  }
  return frame;
}

/**
 * Where within a frame of its file the original is at the first record frame, so that both change frames together.
 * @param {Placement} placement
 * @param {ItemFacts} original
 * @param {bigint} ticksPerFrame
 * @param {bigint} frame
 */
function withinFrame(placement, original, ticksPerFrame, frame) {
  return (BigInt(original.in_ticks) + BigInt(placement.record_offset) * ticksPerFrame) % frame;
}

/**
 * @param {premierepro} ppro
 * @param {Placement} placement
 * @param {Prepared} prepared
 */
async function setPoints(ppro, placement, { projectItemId, inPoint, length, mediaStart }) {
  const { VIDEO } = ppro.Constants.MediaType;
  const clear = await clipById(ppro, projectItemId, placement.path);
  attempt(clear.project, `${placement.marker_name}: clear in and out`, () => [clear.clip.createClearInOutPointsAction()]);
  const set = await clipById(ppro, projectItemId, placement.path);
  // Without points the in point is the file's start, which tells whether points count from its timecode.
  const told = ticksOf(await ask("getInPoint", () => set.clip.getInPoint(VIDEO)));
  const first = (told === mediaStart ? mediaStart : 0n) + inPoint;
  attempt(set.project, `${placement.marker_name}: set in and out`, () => [
    set.clip.createSetInOutPointsAction(timeOf(ppro, first), timeOf(ppro, first + length)),
  ]);
}

/**
 * @param {premierepro} ppro
 * @param {string} id
 * @param {string} path
 */
async function clipById(ppro, id, path) {
  const project = await openProject(ppro);
  const item = await findProjectItem(ppro, project, (each) => each.getId() === id);
  const clip = castClip(ppro, item);
  if (!clip) throw new PanelError("noMedia", { path });
  return { project, clip };
}

/**
 * @param {Project} project
 * @param {string} name
 * @param {Parameters<typeof change>[2]} make
 */
function attempt(project, name, make) {
  try {
    change(project, name, make);
  } catch (error) {
    throw new PanelError("refused", { why: wordsOf(error) });
  }
}
