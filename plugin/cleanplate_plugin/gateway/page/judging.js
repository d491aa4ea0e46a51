// Above the picture: what is shown of it, which take it is compared with, how large it is, and what stands under the hand.

import { button, element, input, make, select, setText, showList } from "./dom.js";
import { Refusal } from "./gateway.js";
import { word } from "./language.js";
import { chosenTake, holds, JUDGING } from "./wishes.js";

/**
 * @typedef {import("./wire.d.ts").Mode} Mode
 * @typedef {import("./wire.d.ts").PickedTake} PickedTake
 */

export const MODES = /** @type {const} */ (["mask", "matte", "hole", "after", "wipe", "difference"]);
const WIPE_STEPS = 1000;

export class JudgingBar {
  /**
   * @param {import("./store.js").Store} store
   * @param {import("./lens.js").Lens} lens
   * @param {(verb: string, body: object) => Promise<any>} ask
   * @param {import("./receiver.js").Receiver} receiver
   */
  constructor(store, lens, ask, receiver) {
    this.store = store;
    this.lens = lens;
    this.ask = ask;
    this.receiver = receiver;
    for (const mode of MODES) input(`mode${mode}`).addEventListener("change", () => store.set({ mode }));
    input("unseen").addEventListener("change", () => store.set({ unseen: input("unseen").checked }));
    input("wipe").addEventListener("input", () => store.set({ wipe: Number(input("wipe").value) / WIPE_STEPS }));
    select("chosen").addEventListener("change", () => store.set({ chosen: select("chosen").value }));
    button("preview").addEventListener("click", () => this.preview());
    store.watch(["mode", "unseen", "wipe"], () => this.#showMode());
    store.watch(["session", "chosen", "language"], () => this.#showTakes());
    store.watch(["session", "chosen", "mode", "frame", "unseen", "language", "speed"], () => this.#showHint());
    store.watch(["zoom", "session"], () => setText(element("zoom"), `${Math.round(this.lens.scale * 100)} %`));
    store.watch(["session", "tracks", "connection"], () => {
      button("preview").disabled = ![...store.state.tracks.values()].some((each) => each.size);
    });
  }

  /** Fills a few frames around the playhead. */
  async preview() {
    const { session, frame } = this.store.state;
    if (!session) return;
    const [first, count] = [Number(session.range.start_frame), Number(session.range.frame_count)];
    const wanted = Math.min(Number(select("fewframes").value), count);
    const start = Math.min(Math.max(frame - Math.floor(wanted / 2), first), first + count - wanted);
    this.store.set({ failure: "", status: "previewing" });
    try {
      const { job } = await this.ask("preview", { start_frame: String(start), frame_count: wanted });
      this.receiver.takeNewJob(job);
      this.store.set({ chosen: job.name, mode: JUDGING.includes(this.store.state.mode) ? this.store.state.mode : "wipe" });
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      this.store.set({ failure: refusal.message || word("gone"), status: "" });
    }
  }

  #showMode() {
    const { mode, unseen, wipe } = this.store.state;
    input(`mode${mode}`).checked = true;
    input("unseen").checked = unseen;
    element("wipebox").hidden = mode !== "wipe";
    element("takebox").hidden = !JUDGING.includes(mode);
    input("wipe").value = String(Math.round(wipe * WIPE_STEPS));
  }

  #showTakes() {
    const { session } = this.store.state;
    const done = (session?.takes ?? []).filter((each) => each.state === "SUCCEEDED");
    showList(select("chosen"), done, {
      key: (take) => take.job,
      make: (take) => Object.assign(make("option"), { value: take.job }),
      show: (option, take) => setText(option, takeTitle(take)),
    });
    select("chosen").disabled = !done.length;
    select("chosen").value = chosenTake(this.store.state)?.job ?? "";
  }

  /** Says why there is nothing to be seen. */
  #showHint() {
    const { session, mode, frame, unseen, speed } = this.store.state;
    if (!session || speed) return;
    const take = chosenTake(this.store.state);
    const judges = JUDGING.includes(mode);
    const looked = session.takes.some((each) => each.state === "SUCCEEDED" && holds(each, frame));
    const hint = judges && !take ? word("noTake")
      : judges && take && !holds(take, frame) ? word("notInTake", takeSpan(take))
        : unseen && !looked ? word("notLooked") : "";
    setText(element("hint"), hint);
    element("hint").hidden = !hint;
  }
}

/** @param {PickedTake} take */
function takeSpan({ range }) {
  const first = Number(range.start_frame);
  const last = first + Number(range.frame_count) - 1;
  return first === last ? String(first) : `${first}–${last}`;
}

/** @param {PickedTake} take */
export function takeTitle(take) {
  return take.preview ? word("previewOf", takeSpan(take)) : take.file_name;
}
