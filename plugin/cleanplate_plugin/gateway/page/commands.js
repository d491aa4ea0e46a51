// Everything that a key does; buttons with `data-command` do the same.

import { MODES } from "./judging.js";

/**
 * @typedef {object} Command
 * @property {string} name also its word
 * @property {string[]} keys as `keyText` writes them; the first one is shown
 * @property {string} group its word, for the list of keys
 * @property {() => void} run
 */

const FAR = 10; // frames
const BRUSH_STEP = 1.25;

/**
 * @param {object} parts
 * @param {import("./store.js").Store} parts.store
 * @param {import("./player.js").Player} parts.player
 * @param {import("./history.js").History} parts.history
 * @param {import("./deeds.js").Deeds} parts.deeds
 * @param {import("./lens.js").Lens} parts.lens
 * @param {import("./objects.js").ObjectsPanel} parts.objects
 * @param {import("./follow.js").FollowPanel} parts.follow
 * @param {import("./judging.js").JudgingBar} parts.judging
 * @param {import("./taking.js").TakingPanel} parts.taking
 * @param {(zoom: () => void) => void} parts.zoomed
 * @param {() => void} parts.help
 * @returns {Command[]}
 */
export function commandsOf({ store, player, history, deeds, lens, objects, follow, judging, taking, zoomed, help }) {
  const { state } = store;
  /** @type {(group: string, lines: Array<[string, string[], () => void]>) => Command[]} */
  const group = (word, lines) => lines.map(([name, keys, run]) => ({ name, keys, run, group: word }));
  /** A host that waits has chosen the frames itself: in and out only bound playing then. */
  /** @param {number} first @param {number} last */
  const setBounds = (first, last) => hostWaits(state) ? store.set({ first, last }) : deeds.setRange(first, last);
  return [
    ...group("moving", [
      ["play", ["Space"], () => player.toggle()],
      ["back", ["J"], () => player.shuttle(-1)],
      ["halt", ["K"], () => player.pause()],
      ["ahead", ["L"], () => player.shuttle(1)],
      ["stepback", ["ArrowLeft"], () => player.step(-1)],
      ["stepforward", ["ArrowRight"], () => player.step(1)],
      ["farback", ["Shift+ArrowLeft"], () => player.step(-FAR)],
      ["farforward", ["Shift+ArrowRight"], () => player.step(FAR)],
      ["lastkey", ["ArrowUp"], () => player.jump(marksOf(state), -1)],
      ["nextkey", ["ArrowDown"], () => player.jump(marksOf(state), 1)],
      ["start", ["Home"], () => player.goTo(state.first)],
      ["end", ["End"], () => player.goTo(state.last)],
      ["in", ["I"], () => setBounds(state.frame, Math.max(state.last, state.frame))],
      ["out", ["O"], () => setBounds(Math.min(state.first, state.frame), state.frame)],
      ["wholerange", ["Alt+X"], () => setBounds(...wholeRange(state))],
    ]),
    ...group("pointing", [
      ["tool", ["V"], () => store.set({ tool: "point" })],
      ["brush", ["B"], () => store.set({ tool: "brush" })],
      ["erase", ["E"], () => store.set({ tool: "erase" })],
      ["hand", ["H"], () => store.set({ tool: "hand" })],
      ["larger", ["]"], () => store.set({ brush: Math.min(400, Math.ceil(state.brush * BRUSH_STEP)) })],
      ["smaller", ["["], () => store.set({ brush: Math.max(1, Math.floor(state.brush / BRUSH_STEP)) })],
      ["candidateNext", ["C"], () => objects.stepCandidate(1)],
      ["candidatePrevious", ["Shift+C"], () => objects.stepCandidate(-1)],
      ["add", ["N"], () => objects.add()],
      ["clear", ["Delete", "Backspace"], () => deeds.clear(state.object, state.frame)],
      ["undo", ["Ctrl+Z"], () => history.undo()],
      ["redo", ["Ctrl+Shift+Z", "Ctrl+Y"], () => history.redo()],
    ]),
    ...group("followingKeys", [
      ["both", ["F"], () => void follow.follow("BOTH")],
      ["forward", ["."], () => void follow.follow("FORWARD")],
      ["backward", [","], () => void follow.follow("BACKWARD")],
      ["stoprun", ["S"], () => void follow.stop()],
    ]),
    ...group("judgingKeys", [
      ...MODES.map((mode, number) => /** @type {[string, string[], () => void]} */ (
        [`mode${mode}`, [String(number + 1)], () => store.set({ mode })])),
      ["unseen", ["U"], () => store.set({ unseen: !state.unseen })],
      ["preview", ["P"], () => void judging.preview()],
      ["zoomin", ["+", "="], () => zoomed(() => lens.step(1))],
      ["zoomout", ["-"], () => zoomed(() => lens.step(-1))],
      ["fit", ["0"], () => zoomed(() => lens.zoomTo(0))],
      ["exact", ["9"], () => zoomed(() => lens.zoomTo(1))],
      ["remove", ["Ctrl+Enter"], () => taking.begin()],
      ["help", ["?"], help],
    ]),
  ];
}

/**
 * Frames worth going to: keys of all objects, and cuts.
 * @param {import("./wire.d.ts").State} state
 */
function marksOf(state) {
  const { session, tracks } = state;
  const keys = [...tracks.values()].flatMap((track) => [...track.values()].filter((each) => each.state === "KEY"));
  const said = (session?.objects ?? []).flatMap((each) => each.prompts.map((prompted) => Number(prompted.prompt.frame)));
  return [...keys.map((each) => Number(each.frame)), ...said, ...(session?.cuts ?? []).map(Number)];
}

/** @param {import("./wire.d.ts").State} state */
function hostWaits({ session }) {
  return session?.shot !== undefined && !["PLACED", "CANCELLED"].includes(session.shot.state);
}

/**
 * All that may be worked on.
 * @param {import("./wire.d.ts").State} state
 * @returns {[number, number]}
 */
function wholeRange(state) {
  const isFree = state.session && !hostWaits(state);
  return isFree ? [0, Number(state.session?.clip.frame_count) - 1] : [state.reelFirst, state.reelLast];
}
