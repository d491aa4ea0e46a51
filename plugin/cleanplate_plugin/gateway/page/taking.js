// The panel's foot: what a take would need, the button that makes it, and where it goes.

import { button, element, input, make, select, setText, showList } from "./dom.js";
import { Refusal } from "./gateway.js";
import { word } from "./language.js";
import { clock, gibibytes } from "./timecode.js";

/** @typedef {import("./wire.d.ts").EngineUse} EngineUse */

const ESTIMATE_PAUSE_MS = 700;
const HOSTS = new Map([["resolve", "DaVinci Resolve"], ["premiere", "Premiere Pro"]]);
const MAY_SUBMIT = ["WAITING", "FAILED"];

export class TakingPanel {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #estimated = "";

  /**
   * @param {import("./store.js").Store} store
   * @param {import("./deeds.js").Deeds} deeds
   * @param {(verb: string, body?: object) => Promise<any>} ask
   * @param {import("./receiver.js").Receiver} receiver
   */
  constructor(store, deeds, ask, receiver) {
    this.store = store;
    this.deeds = deeds;
    this.ask = ask;
    this.receiver = receiver;
    this.dialog = /** @type {HTMLDialogElement} */ (element("saving"));
    select("effort").addEventListener("change", () => deeds.changeSettings({ effort: select("effort").value }));
    select("delivery").addEventListener("change", () => deeds.changeSettings({ delivery: select("delivery").value }));
    button("remove").addEventListener("click", () => this.begin());
    button("giveup").addEventListener("click", () => this.#try("give-up", {}));
    button("done").addEventListener("click", () => this.#try("close", {}));
    button("leavesaving").addEventListener("click", () => this.dialog.close());
    element("saveform").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    store.watch(["session", "language", "connection"], () => this.#show());
    store.watch(["session", "tracks", "connection"], () => this.#estimateSoon());
    store.watch(["estimate", "models", "language"], () => this.#showEstimate());
  }

  /** Which engines there are to choose from. */
  async loadEngines() {
    try {
      this.store.set({ models: (await this.ask("engines")).models });
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      this.store.set({ failure: refusal.message });
    }
  }

  /** @param {string} kind */
  #makeEngine(kind) {
    const choice = make("select");
    choice.addEventListener("change", () => {
      const others = this.store.state.session?.settings.engines.filter((each) => each.kind !== kind) ?? [];
      this.deeds.changeSettings({ engines: choice.value ? [...others, { kind, name: choice.value }] : others });
    });
    return make("li", "engine", make("span"), choice, make("span", "licence"));
  }

  /** @param {HTMLElement} row @param {EngineUse} engine */
  #showEngine(row, { kind, name, licence, commercial_use: free }) {
    const { models, session } = this.store.state;
    const [what, choice, terms] = /** @type {[Element, HTMLSelectElement, Element]} */ ([...row.children]);
    const chosen = session?.settings.engines.find((each) => each.kind === kind)?.name ?? "";
    const options = models.filter((each) => each.kind === kind);
    setText(what, word(kind));
    choice.setAttribute("aria-label", word(kind));
    showList(choice, [{ name: "", available: true, unavailable_reason: "" }, ...options], {
      key: (model) => model.name,
      make: (model) => Object.assign(make("option"), { value: model.name }),
      show: (option, model) => {
        setText(option, !model.name ? word("automatic", chosen ? "…" : name) : model.available ? model.name : word("unavailable", model.name));
        option.toggleAttribute("disabled", !model.available);
        option.title = model.unavailable_reason;
      },
    });
    choice.value = chosen;
    choice.title = choice.selectedOptions[0]?.textContent ?? ""; // a long name is cut off
    showTerms(terms, licence, free);
  }

  /** The host, where one waits for clean media. */
  get #host() {
    const { session } = this.store.state;
    return session?.shot ? HOSTS.get(session.shot.host) ?? session.shot.host : "";
  }

  /** Makes the take at once where a host waits; asks where to save it otherwise. */
  begin() {
    if (button("remove").disabled) return;
    if (this.#host) {
      this.#try("submit", {});
      return;
    }
    if (!input("path").value) input("path").value = this.store.state.session?.suggested_path ?? "";
    setText(element("savefailure"), "");
    this.dialog.showModal();
    input("path").select();
  }

  async #save() {
    const body = { path: input("path").value.trim(), overwrite: input("overwrite").checked, omit_audio: input("silent").checked };
    const refusal = await this.#submit(body);
    setText(element("savefailure"), refusal);
    if (refusal) return;
    this.dialog.close();
    input("path").value = "";
  }

  /**
   * @param {object} body
   * @returns {Promise<string>} why not
   */
  async #submit(body) {
    this.store.set({ status: "submitted" }); // before the answer, which events may overtake
    try {
      const { job } = await this.ask("submit", { ...body, request_id: crypto.randomUUID() });
      this.receiver.takeNewJob(job);
      return "";
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      this.store.set({ status: "" });
      return refusal.message || word("gone");
    }
  }

  /** @param {string} verb @param {object} body */
  async #try(verb, body) {
    this.store.set({ failure: "" });
    if (verb === "submit") {
      this.store.set({ failure: await this.#submit(body) });
      return;
    }
    try {
      this.receiver.takeSession((await this.ask(verb, body)).session);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      this.store.set({ failure: refusal.message || word("gone") });
    }
  }

  #show() {
    const { session } = this.store.state;
    if (!session) return;
    const { settings, shot } = session;
    select("effort").value = settings.effort === "EFFORT_UNSPECIFIED" ? "EFFORT_BALANCED" : settings.effort;
    select("delivery").value = settings.delivery === "DELIVERY_UNSPECIFIED" ? "DELIVERY_PLATE" : settings.delivery;
    const hasKey = session.objects.some((each) => !each.hidden && each.prompts.length > 0);
    const works = session.takes.some((each) => !each.preview && (each.state === "RUNNING" || each.state === "PENDING"));
    button("remove").disabled = !hasKey || works || (shot !== undefined && !MAY_SUBMIT.includes(shot.state));
    setText(button("remove"), this.#host ? word("putOn", this.#host) : word("saveAs"));
    button("giveup").hidden = !shot || ["PLACED", "CANCELLED"].includes(shot.state);
    button("done").hidden = shot !== undefined;
    button("done").disabled = session.closed;
    const told = shot ? shot.message || word(`shot${shot.state}`, this.#host) : session.closed ? word("closed") : "";
    setText(element("shotstate"), told);
    element("shotstate").hidden = !told;
  }

  /** What it would need changes with masks, settings and the machine; asked for when all that has come to rest. */
  #estimateSoon() {
    const { session, connection } = this.store.state;
    const about = session && JSON.stringify([session.settings, session.takes.length, session.run?.state,
      session.objects.map((each) => [each.object_id, each.hidden, each.prompts.map((prompted) => prompted.revision)])]);
    if (!session || connection !== "live" || about === this.#estimated || session.run?.state === "RUNNING") return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#estimate(about ?? ""), ESTIMATE_PAUSE_MS);
  }

  /** @param {string} about */
  async #estimate(about) {
    const { session } = this.store.state;
    if (!session?.objects.some((each) => !each.hidden && each.prompts.length)) {
      this.store.set({ estimate: null });
      return;
    }
    try {
      this.store.set({ estimate: await this.ask("estimate", {}) });
      this.#estimated = about;
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      this.store.set({ estimate: null });
      setText(element("estimate"), refusal.message);
    }
  }

  #showEstimate() {
    const { estimate } = this.store.state;
    element("engines").hidden = element("notes").hidden = !estimate;
    if (!estimate) {
      setText(element("estimate"), word("noEstimate"));
      return;
    }
    const time = word(estimate.duration_measured ? "takesAbout" : "takesRoughly", clock(estimate.duration_seconds));
    const memory = word("needs", gibibytes(estimate.memory_bytes), gibibytes(estimate.allowed_memory_bytes));
    setText(element("estimate"), [word("frames", Number(estimate.frame_count)), time, memory].join(" · "));
    showList(element("engines"), estimate.engines, {
      key: (engine) => engine.kind,
      make: (engine) => this.#makeEngine(engine.kind),
      show: (row, engine) => this.#showEngine(row, engine),
    });
    const missing = Number(estimate.unfollowed_frame_count);
    showNotes(element("notes"), [...(missing ? [word("unfollowed", missing)] : []), ...estimate.notes]);
  }
}

/** @param {HTMLElement} list @param {EngineUse[]} engines */
export function showEngines(list, engines) {
  showList(list, engines, {
    key: (engine) => engine.kind,
    make: () => make("li", "engine", make("span"), make("span"), make("span", "licence")),
    show: (row, { kind, name, licence, commercial_use: free }) => {
      const [what, which, terms] = [...row.children];
      setText(what, word(kind));
      setText(which, name);
      showTerms(terms, licence, free);
    },
  });
}

/** @param {Element} terms @param {string} licence @param {boolean} free */
function showTerms(terms, licence, free) {
  setText(terms, free ? licence : word("notCommercial", licence));
  terms.classList.toggle("warn", !free);
}

/** @param {HTMLElement} list @param {string[]} notes */
export function showNotes(list, notes) {
  showList(list, notes, { key: (note) => note, make: () => make("li"), show: setText });
}
