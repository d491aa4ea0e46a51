/** Takes a clean clip out again, so that its original is seen: one undo step. */

import { activeSequence, ask, openProject } from "./host.js";
import { PanelError, wordsOf } from "./messages.js";
import { switchAction } from "./place.js";
import { recordOf } from "./record.js";
import { difference, readTimeline, removeItems, signature } from "./timeline.js";
import { ticksOf } from "./ticks.js";

/** @import { Marker, Markers, premierepro } from "@adobe/premierepro" */
/** @import { Entry, Timeline } from "./timeline.js" */
/** @import { Record } from "./record.js" */
/** @import { Told } from "./place.js" */

/** @typedef {{ clean: Entry, marker: Marker, record: Record }} Ours */

/**
 * Shows the original under the playhead again.
 * @param {premierepro} ppro
 * @returns {Promise<Told[]>}
 * @throws {PanelError} there is none of ours, or Premiere refused; nothing was changed
 */
export async function restoreOriginal(ppro) {
  const project = await openProject(ppro);
  const sequence = await activeSequence(project);
  const before = await readTimeline(ppro, sequence);
  const markers = await ask("getMarkers", () => ppro.Markers.getMarkers(sequence));
  const position = ticksOf(await ask("getPlayerPosition", () => sequence.getPlayerPosition()));
  const { clean, marker, record } = oursAt(before, markers, position);
  const original = (before.video[record.track] ?? []).find((entry) => entry.start === BigInt(record.start));
  if (!original) throw new PanelError("originalGone", { clip: clean.name });
  try {
    removeItems(ppro, project, sequence, {
      name: `Cleanplate: restore ${original.name}`,
      entries: [clean],
      more: () => [
        ...(record.disabled ? switchAction(original, false) : []),
        markers.createRemoveMarkerAction(marker),
      ],
    });
  } catch (error) {
    throw new PanelError("notRestored", { why: wordsOf(error) });
  }
  await readBack(ppro, before, { clean, original, record });
  return [["restored", { clip: original.name }]];
}

/**
 * The uppermost clean clip at a position.
 * @param {Timeline} timeline
 * @param {Markers} markers
 * @param {bigint} position
 * @returns {Ours}
 */
function oursAt(timeline, markers, position) {
  const standing = timeline.video.flat().filter((entry) => entry.start <= position && position < entry.end);
  for (const clean of standing.reverse()) {
    for (const marker of markers.getMarkers()) {
      const record = recordOf(marker);
      const isIts = record && record.item === clean.projectItemId && ticksOf(marker.getStart()) === clean.start;
      if (isIts) return { clean, marker, record };
    }
  }
  throw new PanelError("notOurs");
}

/**
 * @param {premierepro} ppro
 * @param {Timeline} before
 * @param {{ clean: Entry, original: Entry, record: Record }} meant
 */
async function readBack(ppro, before, { clean, original, record }) {
  const sequence = await activeSequence(await openProject(ppro));
  const after = await readTimeline(ppro, sequence);
  const picture = difference(before.video, after.video);
  const sound = difference(before.audio, after.audio);
  const shown = signature({ ...original, disabled: record.disabled ? false : original.disabled });
  const expected = [signature(clean), signature(original)];
  const others = [
    ...picture.gone.filter((entry) => !expected.includes(signature(entry))),
    ...picture.added.filter((entry) => signature(entry) !== shown),
    ...sound.gone,
    ...sound.added,
  ];
  const now = after.video.flat().map(signature);
  if (others.length || now.includes(signature(clean)) || !now.includes(shown)) {
    throw new PanelError("damaged", { why: others.map((entry) => `'${entry.name}'`).join(", ") || "read back" });
  }
}
