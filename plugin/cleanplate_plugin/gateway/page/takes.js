// The history of takes: what works now, with its progress, and what was made before, with its settings.

import { element, make, makeButton, setText, showList } from "./dom.js";
import { Refusal } from "./gateway.js";
import { takeTitle } from "./judging.js";
import { word } from "./language.js";
import { showEngines, showNotes } from "./taking.js";
import { clock, gibibytes } from "./timecode.js";

/**
 * @typedef {import("./wire.d.ts").PickedTake} PickedTake
 * @typedef {import("./wire.d.ts").StageProgress} StageProgress
 */

const SHOWN = 30;
const WORKS = ["PENDING", "RUNNING"];

export class TakesPanel {
  /**
   * @param {import("./store.js").Store} store
   * @param {import("./deeds.js").Deeds} deeds
   * @param {(verb: string, body: object) => Promise<any>} ask
   */
  constructor(store, deeds, ask) {
    this.store = store;
    this.deeds = deeds;
    this.ask = ask;
    store.watch(["session", "jobs", "language"], () => this.#show());
  }

  #show() {
    const newest = element("takes").firstElementChild;
    const takes = (this.store.state.session?.takes ?? []).slice(0, SHOWN);
    element("notakes").hidden = takes.length > 0;
    showList(element("takes"), takes, {
      key: (take) => take.job,
      make: (take) => this.#makeRow(take),
      show: (row, take) => this.#showRow(row, take),
    });
    const first = element("takes").firstElementChild;
    if (first !== newest && takes[0] && WORKS.includes(takes[0].state)) first?.scrollIntoView({ block: "nearest" });
  }

  /** @param {PickedTake} take */
  #makeRow(take) {
    const act = (/** @type {string} */ verb) => makeButton("small", () => this.#ask(verb, take.job));
    const look = makeButton("small", () => this.#look(take));
    const same = makeButton("small", () => this.deeds.changeSettings(this.#find(take.job)?.settings ?? {}));
    const details = make("details", "", make("summary"), make("p", "quiet"), make("ul", "engines"), make("ul", "notes"), same);
    const actions = make("div", "row", look, act("cancel-take"), act("resume-take"));
    return make("li", "take", make("div", "head", make("strong"), make("span", "state")), make("div", "stages"),
      make("p", "problem"), actions, details);
  }

  /** @param {string} job */
  #find(job) {
    return this.store.state.session?.takes.find((each) => each.job === job);
  }

  /** @param {PickedTake} take */
  #look({ job, range }) {
    const { frame } = this.store.state;
    const [first, count] = [Number(range.start_frame), Number(range.frame_count)];
    const isIn = frame >= first && frame < first + count;
    this.store.set({ chosen: job, mode: "wipe", speed: 0, frame: isIn ? frame : first });
  }

  /** @param {string} verb @param {string} job */
  async #ask(verb, job) {
    this.store.set({ failure: "" });
    try {
      await this.ask(verb, { job }); // events tell how it goes
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      this.store.set({ failure: refusal.message || word("gone") });
    }
  }

  /** @param {HTMLElement} row @param {PickedTake} take */
  #showRow(row, take) {
    const job = this.store.state.jobs.get(take.job);
    const state = take.state;
    const part = (/** @type {string} */ place) => /** @type {HTMLElement} */ (row.querySelector(place));
    setText(part("strong"), takeTitle(take));
    setText(part(".state"), word(`take${state}`));
    part(".state").dataset.state = state;
    showList(part(".stages"), state === "RUNNING" ? job?.stages ?? [] : [], {
      key: ({ stage }) => stage, make: makeStage, show: showStage,
    });
    setText(part(".problem"), state === "FAILED" ? take.message || job?.error?.message || "" : "");
    part(".problem").hidden = !part(".problem").textContent;
    const [look, cancel, resume] = [...part(".row").children].map((each) => /** @type {HTMLButtonElement} */ (each));
    for (const [each, text, isThere] of /** @type {const} */ ([
      [look, word("look"), state === "SUCCEEDED"],
      [cancel, word("cancel"), WORKS.includes(state)],
      [resume, word("resume"), state === "FAILED" || state === "CANCELLED"],
    ])) {
      setText(each, text);
      each.setAttribute("aria-label", `${text}: ${takeTitle(take)}`);
      each.hidden = !isThere;
    }
    showDetails(part("details"), take, job?.notes ?? [], job?.memory_estimate_bytes);
  }
}

/**
 * @param {HTMLElement} details
 * @param {PickedTake} take
 * @param {string[]} notes
 * @param {string} [memory]
 */
function showDetails(details, take, notes, memory) {
  const { settings, end_time: end, create_time: began, unseen_share: unseen } = take;
  const part = (/** @type {string} */ place) => /** @type {HTMLElement} */ (details.querySelector(place));
  setText(part("summary"), word("details"));
  const times = end && began ? word("took", clock((Date.parse(end) - Date.parse(began)) / 1000)) : "";
  setText(part("p"), [
    word(settings.effort), word(settings.delivery),
    settings.grow_px === undefined ? "" : `${word("grow")} ${settings.grow_px} px`,
    settings.feather_px === undefined ? "" : `${word("feather")} ${settings.feather_px} px`,
    settings.with_shadow ? word("withShadow") : "",
    memory && Number(memory) ? word("memory", gibibytes(memory)) : "", times,
    unseen === undefined ? "" : word("unseenShare", (100 * unseen).toFixed(1)),
  ].filter(Boolean).join(" · "));
  showEngines(part(".engines"), take.engines);
  showNotes(part(".notes"), notes);
  setText(part("button"), word("sameSettings"));
}

function makeStage() {
  return make("div", "stage", make("span"), make("span", "quiet"), make("progress"));
}

/** @param {HTMLElement} row @param {StageProgress} progress */
function showStage(row, { stage, done_frame_count, frame_count, frames_per_second: fps }) {
  const [done, all] = [Number(done_frame_count), Number(frame_count)];
  const [name, told, bar] = [row.children[0], row.children[1], /** @type {HTMLProgressElement} */ (row.children[2])];
  setText(name, word(`stage_${stage}`));
  bar.setAttribute("aria-label", word(`stage_${stage}`));
  if (all) Object.assign(bar, { max: all, value: done });
  const runs = fps > 0 && done < all;
  const parts = [all ? word("ofFrames", done, all) : "", ...(runs ? [word("speed", fps.toFixed(1)), word("left", clock((all - done) / fps))] : [])];
  setText(told, parts.filter(Boolean).join(" · "));
}
