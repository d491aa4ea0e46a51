/** What a marker remembers of a placed clip, so that it can be told from others and taken out again. */

import { ticksOf, timeOf } from "./ticks.js";

/** @import { Marker, Markers, premierepro } from "@adobe/premierepro" */
/** @import { Placement } from "./types.d.ts" */
/** @import { Plan } from "./place.js" */

/**
 * @typedef {object} Record
 * @property {string} cleanplate which shot it was
 * @property {string} item project item of the clean clip
 * @property {number} track of the original, from 0
 * @property {string} start first tick of the original
 * @property {boolean} disabled whether the original was disabled for it
 */

/**
 * An action that adds the marker.
 * @param {premierepro} ppro
 * @param {Markers} markers
 * @param {{ plan: Plan, placement: Placement }} what
 */
export function addMarkerAction(ppro, markers, { plan, placement }) {
  /** @type {Record} */
  const record = {
    cleanplate: placement.marker_data,
    item: plan.media.projectItemId,
    track: plan.original.trackIndex,
    start: plan.original.start.toString(),
    disabled: plan.disable,
  };
  const comments = `${placement.marker_note}\n${JSON.stringify(record)}`;
  const [start, duration] = [timeOf(ppro, plan.start), timeOf(ppro, plan.end - plan.start)];
  const type = ppro.Marker.MARKER_TYPE_COMMENT;
  return markers.createAddMarkerAction(placement.marker_name, type, start, duration, comments);
}

/**
 * What a marker remembers; null when it is none of ours.
 * @param {Marker} marker
 * @returns {Record | null}
 */
export function recordOf(marker) {
  const line = marker.getComments().trim().split("\n").at(-1) ?? "";
  if (!line.startsWith("{")) return null;
  try {
    const record = JSON.parse(line);
    return typeof record.cleanplate === "string" && typeof record.item === "string" ? record : null;
  } catch {
    return null; // A person's own marker may begin with a brace.
  }
}

/**
 * Whether a marker is the one that a plan added.
 * @param {Marker} marker
 * @param {Plan} plan
 */
export function isRecordOf(marker, plan) {
  const record = recordOf(marker);
  return record !== null && record.item === plan.media.projectItemId && ticksOf(marker.getStart()) === plan.start;
}
