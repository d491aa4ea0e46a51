// Around the picture: title, connection, what was said and what went wrong, tools, transport, the list of keys.

import { button, element, input, make, select, setText, showList } from "./dom.js";
import { icon } from "./icons.js";
import { language, LANGUAGES, setLanguage, word, writeWords } from "./language.js";
import { rateText, timecodeOf } from "./timecode.js";

/** @typedef {import("./commands.js").Command} Command */

const TOOLS = /** @type {const} */ (["point", "brush", "erase", "hand"]);
const SIGNS = new Map([["ArrowLeft", "←"], ["ArrowRight", "→"], ["ArrowUp", "↑"], ["ArrowDown", "↓"]]);

export class Top {
  /**
   * @param {import("./store.js").Store} store
   * @param {() => void} onRetry
   */
  constructor(store, onRetry) {
    this.store = store;
    /** @type {Command[]} */
    this.commands = [];
    for (const each of document.querySelectorAll("[data-icon]")) each.prepend(icon(each.getAttribute("data-icon") ?? ""));
    for (const [code, name] of LANGUAGES) select("language").append(Object.assign(make("option", "", name), { value: code, lang: code }));
    select("language").value = language();
    select("language").addEventListener("change", () => this.#speak(select("language").value));
    button("retry").addEventListener("click", onRetry);
    button("dismiss").addEventListener("click", () => store.set({ failure: "" }));
    for (const tool of TOOLS) button(`tool${tool}`).addEventListener("click", () => store.set({ tool }));
    input("brushsize").addEventListener("input", () => store.set({ brush: Number(input("brushsize").value) }));
    button("leavehelp").addEventListener("click", () => this.#dialog.close());
    store.watch(["session", "language"], () => this.#showTitle());
    store.watch(["connection", "waiting", "failure", "language"], () => this.#showTrouble());
    store.watch(["status", "session", "language", "connection"], () => this.#showStatus());
    store.watch(["tool", "brush"], () => this.#showTools());
    store.watch(["frame", "session", "speed", "language", "first", "last"], () => this.#showTransport());
    store.watch(["undo", "redo", "language"], () => this.#showHistory());
  }

  /**
   * Buttons do what keys do, and say which.
   * @param {Command[]} commands
   */
  setCommands(commands) {
    this.commands = commands;
    for (const command of commands) {
      for (const each of document.querySelectorAll(`[data-command="${command.name}"]`)) each.addEventListener("click", () => command.run());
    }
    this.store.watch(["language"], () => this.#labelCommands());
  }

  showHelp() {
    const groups = [...new Set(this.commands.map((each) => each.group))];
    showList(element("keys"), groups, {
      key: (group) => `${group} ${language()}`,
      make: (group) => this.#makeGroup(group),
      show: () => undefined,
    });
    this.#dialog.showModal();
  }

  get #dialog() {
    return /** @type {HTMLDialogElement} */ (element("helping"));
  }

  /** @param {string} group */
  #makeGroup(group) {
    const lines = this.commands.filter((each) => each.group === group)
      .flatMap(({ name, keys }) => [make("dt", "", make("kbd", "", shownKey(keys[0]))), make("dd", "", word(`do_${name}`))]);
    const extra = group === "pointing" ? [make("dt", "", make("kbd", "", "Enter")), make("dd", "", word("crossHelp"))] : [];
    return make("section", "", make("h3", "", word(group)), make("dl", "", ...lines, ...extra));
  }

  /** @param {string} code */
  #speak(code) {
    setLanguage(code);
    this.store.set({ language: code });
  }

  #labelCommands() {
    writeWords();
    for (const { name, keys } of this.commands) {
      for (const each of document.querySelectorAll(`[data-command="${name}"], [data-tells="${name}"]`)) {
        each.setAttribute("title", `${word(`do_${name}`)} (${shownKey(keys[0])})`);
        if (!each.textContent?.trim()) each.setAttribute("aria-label", word(`do_${name}`));
      }
    }
  }

  #showTitle() {
    const { session } = this.store.state;
    if (!session) return;
    const { clip, title } = session;
    document.title = `${title} – Cleanplate`;
    setText(element("title"), title);
    setText(element("facts"), `${clip.width}×${clip.height} · ${rateText(clip)} · ${clip.codec}`);
  }

  /** One line above all for what stands in the way; what was done is kept meanwhile. */
  #showTrouble() {
    const { connection, waiting, failure } = this.store.state;
    const isCut = connection === "lost" || connection === "locked";
    const kept = waiting && isCut ? ` ${word("waiting", waiting)}` : "";
    const told = isCut ? word(connection) + kept : failure;
    setText(element("told"), told);
    element("banner").hidden = !told;
    button("retry").hidden = !isCut && connection !== "missing";
    button("dismiss").hidden = isCut || connection === "missing";
    element("link").dataset.state = connection;
    setText(element("link"), word(`is_${connection}`));
  }

  #showStatus() {
    const { status, session, connection } = this.store.state;
    const start = session?.objects.length ? "" : "pointAtIt";
    setText(element("status"), !session ? word(connection === "opening" ? "opening" : "notOpen") : word(status || start || "ready"));
  }

  #showTools() {
    const { tool, brush } = this.store.state;
    for (const each of TOOLS) button(`tool${each}`).setAttribute("aria-pressed", String(each === tool));
    input("brushsize").value = String(brush);
    element("brushbox").hidden = tool !== "brush" && tool !== "erase";
    setText(element("brushvalue"), `${Math.round(brush)} px`);
    element("view").dataset.tool = tool;
  }

  #showTransport() {
    const { session, frame, speed, first, last, reelFirst, reelLast } = this.store.state;
    if (!session) return;
    setText(element("timecode"), timecodeOf(session.clip, frame));
    setText(element("number"), String(frame));
    setText(element("bounds"), word("bounds", first, last, last - first + 1));
    setText(element("speed"), Math.abs(speed) > 1 || speed < 0 ? `${speed}×` : "");
    button("play").replaceChildren(icon(speed ? "pause" : "play"));
    button("play").setAttribute("aria-pressed", String(speed !== 0));
    for (const each of document.querySelectorAll("#transport button")) {
      if (each instanceof HTMLButtonElement && each.dataset.needs === "frames") each.disabled = reelFirst === reelLast;
    }
  }

  #showHistory() {
    const { undo, redo } = this.store.state;
    for (const [id, deed] of /** @type {const} */ ([["undo", undo], ["redo", redo]])) {
      button(id).disabled = !deed;
      button(id).setAttribute("aria-label", deed ? word(`${id}Of`, word(`deed_${deed}`)) : word(`do_${id}`));
    }
  }
}

/** @param {string} key */
function shownKey(key) {
  return key.split("+").map((each) => SIGNS.get(each) ?? each).join(" ").trim() || "+";
}
