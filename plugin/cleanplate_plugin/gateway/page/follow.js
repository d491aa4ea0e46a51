// The panel's part for following objects through the range, and for the edges of their masks.

import { button, element, input, setText } from "./dom.js";
import { Refusal } from "./gateway.js";
import { word } from "./language.js";
import { showNotes } from "./taking.js";
import { clock } from "./timecode.js";

/** @typedef {import("./wire.d.ts").TakeSettings} TakeSettings */

const AFTER_SLIDING_MS = 1200; // the edge is still looked at for a moment

export class FollowPanel {
  /**
   * @param {import("./store.js").Store} store
   * @param {(verb: string, body: object) => Promise<any>} ask
   * @param {import("./receiver.js").Receiver} receiver
   */
  constructor(store, ask, receiver) {
    this.store = store;
    this.ask = ask;
    this.receiver = receiver;
    button("backward").addEventListener("click", () => this.follow("BACKWARD"));
    button("both").addEventListener("click", () => this.follow("BOTH"));
    button("forward").addEventListener("click", () => this.follow("FORWARD"));
    button("stoprun").addEventListener("click", () => this.stop());
    button("shadows").addEventListener("click", () => this.#run("shadows", {}));
    store.watch(["session", "tracks", "language", "connection"], () => this.#show());
  }

  get isRunning() {
    return this.store.state.session?.run?.state === "RUNNING";
  }

  /** @param {"FORWARD" | "BACKWARD" | "BOTH"} direction */
  follow(direction) {
    const from = direction === "BOTH" ? {} : { from_frame: String(this.store.state.frame) };
    return this.#run("propagate", { direction, ...from });
  }

  stop() {
    return this.#run("stop", {});
  }

  /** @param {string} verb @param {object} body */
  async #run(verb, body) {
    this.store.set({ failure: "" });
    try {
      this.receiver.takeSession((await this.ask(verb, body)).session);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      this.store.set({ failure: refusal.message || word("gone") });
    }
  }

  #show() {
    const { session, tracks } = this.store.state;
    if (!session) return;
    const { run } = session;
    const runs = this.isRunning;
    const bar = /** @type {HTMLProgressElement} */ (element("runbar"));
    bar.hidden = !runs;
    const all = run ? Number(run.frame_count) + Number(run.update_count) : 0;
    if (run && all) Object.assign(bar, { max: all, value: Number(run.done_frame_count) + Number(run.learned_update_count) });
    else bar.removeAttribute("value");
    button("stoprun").disabled = !runs;
    const hasKey = session.objects.some((each) => !each.hidden && each.prompts.length > 0);
    for (const id of ["backward", "both", "forward"]) button(id).disabled = runs || !hasKey;
    const frames = [...tracks.values()].flatMap((each) => [...each.values()]);
    button("shadows").hidden = !session.settings.with_shadow;
    button("shadows").disabled = runs || !frames.length;
    setText(element("followed"), runs && run ? this.#progress(run) : this.#rest(frames));
    showNotes(element("runnotes"), run?.notes ?? []);
  }

  /** @param {import("./wire.d.ts").Run} run */
  #progress({ kind, done_frame_count, frame_count, frames_per_second: fps, learned_update_count, update_count }) {
    const [done, all, learned, updates] = [done_frame_count, frame_count, learned_update_count, update_count].map(Number);
    const learns = learned < updates ? [word("learning", learned, updates)] : [];
    if (learns.length && !done) return learns[0];
    const speed = fps > 0 ? [word("speed", fps.toFixed(1)), word("left", clock((all - done) / fps))] : [];
    return [...learns, word(kind === "SHADOW" ? "shadowing" : "following", done, all), ...speed].join(" · ");
  }

  /** @param {import("./wire.d.ts").TrackedFrame[]} frames */
  #rest(frames) {
    const { session } = this.store.state;
    const count = (/** @type {string} */ state) => frames.filter((each) => each.state === state).length;
    const wanted = Number(session?.range.frame_count) * (session?.objects.filter((each) => each.prompts.length).length ?? 0);
    const missing = wanted - frames.length;
    if (!wanted) return word("notFollowed");
    const parts = [count("STALE") && word("stale", count("STALE")), missing > 0 && word("missing", missing)].filter(Boolean);
    const { kind, state } = session?.run ?? {};
    const cut = state === "INTERRUPTED" && (kind === "SHADOW" ? word("shadowsINTERRUPTED") : parts.length && word("runINTERRUPTED"));
    return [cut, parts.join(" · ") || word("allFollowed")].filter(Boolean).join(" ");
  }
}

/** Grow, feather and shadow: the matte is drawn while they move, and the session told when they rest. */
export class EdgesPanel {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {import("./store.js").Store} store
   * @param {import("./deeds.js").Deeds} deeds
   */
  constructor(store, deeds) {
    this.store = store;
    this.deeds = deeds;
    for (const [id, name] of /** @type {const} */ ([["grow", "grow_px"], ["feather", "feather_px"]])) {
      const slider = input(id);
      slider.addEventListener("input", () => this.#slide({ [name]: Number(slider.value) }));
      slider.addEventListener("change", () => deeds.changeSettings({ [name]: Number(slider.value) }));
    }
    const shadow = input("shadow");
    shadow.addEventListener("change", () => {
      this.#slide({ with_shadow: shadow.checked });
      deeds.changeSettings({ with_shadow: shadow.checked });
    });
    button("defaults").addEventListener("click", () => deeds.changeSettings({ grow_px: undefined, feather_px: undefined }));
    store.watch(["session", "sliding", "language"], () => this.#show());
  }

  /** @param {Partial<TakeSettings>} change */
  #slide(change) {
    const { session, sliding } = this.store.state;
    if (!session) return;
    this.store.set({ sliding: { ...(sliding ?? session.settings), ...change } });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.store.set({ sliding: null }), AFTER_SLIDING_MS);
  }

  #show() {
    const { session, sliding } = this.store.state;
    if (!session) return;
    const settings = sliding ?? session.settings;
    const values = { grow: settings.grow_px ?? session.default_grow_px, feather: settings.feather_px ?? session.default_feather_px };
    for (const [id, value] of Object.entries(values)) {
      const slider = input(id);
      slider.max = String(Math.max(Number(slider.max), value, 4 * session.default_grow_px));
      slider.value = String(value);
      setText(element(`${id}value`), `${value} px`);
    }
    input("shadow").checked = settings.with_shadow;
    button("defaults").disabled = settings.grow_px === undefined && settings.feather_px === undefined;
  }
}
