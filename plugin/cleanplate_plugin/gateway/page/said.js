// What a person has said of one object on one frame, as plain values.

/**
 * @typedef {import("./wire.d.ts").Said} Said
 * @typedef {import("./wire.d.ts").PromptedFrame} PromptedFrame
 * @typedef {import("./wire.d.ts").State} State
 */

/** @type {Readonly<Said>} */
export const NOTHING = { points: [], strokes: [], name: "", hit: 0, edits: [], base: false };

/**
 * @param {number} object
 * @param {number} frame
 */
export const promptKey = (object, frame) => `prompt ${object} ${frame}`;

/** @param {Said} said */
export function isNothing(said) {
  return !(said.points.length || said.box || said.strokes.length || said.name || said.edits.length);
}

/** @param {Said} said */
export function markCount(said) {
  return said.points.length + said.strokes.length + said.edits.length + (said.box ? 1 : 0) + (said.name ? 1 : 0);
}

/**
 * @param {PromptedFrame} prompted
 * @returns {Said}
 */
export function saidOf({ prompt, edits, has_base: base }) {
  const { points, box, strokes, object_name: name, name_hit: hit } = prompt;
  return { points, box, strokes, name, hit, edits, base };
}

/**
 * What the server knows to have been said.
 * @param {State} state
 * @param {number} object
 * @param {number} frame
 */
export function promptedAt(state, object, frame) {
  const found = state.session?.objects.find((each) => each.object_id === object);
  return found?.prompts.find((each) => Number(each.prompt.frame) === frame);
}

/**
 * What has been said, whether it has arrived or not.
 * @param {State} state
 * @param {number} object
 * @param {number} frame
 * @returns {Said}
 */
export function saidAt(state, object, frame) {
  const draft = state.drafts.get(promptKey(object, frame));
  if (draft) return draft.said;
  const prompted = promptedAt(state, object, frame);
  return prompted ? saidOf(prompted) : NOTHING;
}

/**
 * As the gateway takes it.
 * @param {number} object
 * @param {number} frame
 * @param {Said} said
 * @param {boolean} isBaseKept whether the server has kept a mask to begin from with what was said before
 */
export function bodyOf(object, frame, said, isBaseKept) {
  const { points, box, strokes, name, hit, edits } = said;
  const base = !said.base ? "BASE_UNSPECIFIED" : isBaseKept ? "BASE_KEPT" : "BASE_CURRENT";
  const prompt = { frame: String(frame), object_id: object, points, box, strokes, object_name: name, name_hit: name ? hit : 0 };
  return { prompt, edits, base };
}

/**
 * A box with both corners in it.
 * @param {import("./wire.d.ts").Place} from
 * @param {import("./wire.d.ts").Place} to
 */
export function boxBetween(from, to) {
  return {
    x0: Math.round(Math.min(from.x, to.x)), y0: Math.round(Math.min(from.y, to.y)),
    x1: Math.round(Math.max(from.x, to.x)), y1: Math.round(Math.max(from.y, to.y)),
  };
}
