// The panel's upper part: objects, and what was said of the chosen one on this frame.

import { button, element, input, make, makeButton, setText, showList } from "./dom.js";
import { icon } from "./icons.js";
import { word } from "./language.js";
import { newObject } from "./receiver.js";
import { isNothing, markCount, promptedAt, promptKey, saidAt } from "./said.js";

/** @typedef {import("./wire.d.ts").PickedObject} PickedObject */

export class ObjectsPanel {
  /**
   * @param {import("./store.js").Store} store
   * @param {import("./deeds.js").Deeds} deeds
   * @param {import("./player.js").Player} player
   */
  constructor(store, deeds, player) {
    this.store = store;
    this.deeds = deeds;
    this.player = player;
    button("add").addEventListener("click", () => this.add());
    button("clear").addEventListener("click", () => deeds.clear(store.state.object, store.state.frame));
    button("again").addEventListener("click", () => deeds.sayAgain(store.state.object, store.state.frame));
    button("previous").addEventListener("click", () => this.stepCandidate(-1));
    button("next").addEventListener("click", () => this.stepCandidate(1));
    button("hitbefore").addEventListener("click", () => this.#stepHit(-1));
    button("hitnext").addEventListener("click", () => this.#stepHit(1));
    input("name").addEventListener("change", () => this.#name());
    store.watch(["session", "object", "language", "tracks", "drafts"], () => this.#showObjects());
    store.watch(["session", "object", "frame", "drafts", "language", "speed"], () => this.#showSaid());
  }

  /** A new object is there when something was said of it. */
  add() {
    const ids = this.#objects.map((each) => each.object_id);
    this.store.set({ object: Math.max(0, ...ids) + 1, status: "pointAtIt" });
  }

  /** @param {1 | -1} way */
  stepCandidate(way) {
    const { state } = this.store;
    const prompted = promptedAt(state, state.object, state.frame);
    if (!prompted || prompted.candidate_count < 2) return;
    const count = prompted.candidate_count;
    this.deeds.choose((prompted.chosen + way + count) % count);
  }

  /** With the one that is still to be pointed at. */
  get #objects() {
    const { session, object } = this.store.state;
    const known = session?.objects ?? [];
    return known.some((each) => each.object_id === object) ? known : [...known, newObject(object)];
  }

  #name() {
    const name = input("name").value.trim();
    this.deeds.say((said) => ({ ...said, name, hit: 1 }), "name");
  }

  /** Of several things of one name, the next; where there is none any more, the server says so. */
  /** @param {1 | -1} way */
  #stepHit(way) {
    this.deeds.say((said) => ({ ...said, hit: Math.max(1, said.hit + way) }), "name");
  }

  #showObjects() {
    if (!this.store.state.session) return;
    showList(element("objects"), this.#objects, {
      key: (object) => String(object.object_id),
      make: (object) => this.#makeRow(object.object_id),
      show: (row, object) => this.#showRow(row, object),
    });
  }

  /** @param {number} id */
  #find(id) {
    return this.#objects.find((each) => each.object_id === id) ?? newObject(id);
  }

  /** @param {number} id */
  #makeRow(id) {
    const color = make("input", "color");
    color.type = "color";
    color.addEventListener("change", () => this.deeds.changeObject(this.#find(id), { color: color.value }));
    const name = make("input", "name");
    name.type = "text";
    name.maxLength = 60;
    name.spellcheck = false;
    name.addEventListener("focus", () => this.store.set({ object: id }));
    name.addEventListener("change", () => this.deeds.changeObject(this.#find(id), { name: name.value.trim() }));
    const eye = makeButton("icon", () => {
      const object = this.#find(id);
      this.deeds.changeObject(object, { hidden: !object.hidden });
    });
    const away = makeButton("icon", () => this.deeds.deleteObject(this.#find(id)));
    away.append(icon("delete"));
    const count = makeButton("count", () => this.#goToKey(id));
    const row = make("li", "object", color, name, count, eye, away);
    row.addEventListener("pointerdown", () => this.store.set({ object: id }));
    return row;
  }

  /** To the object's next key, round and round. */
  /** @param {number} id */
  #goToKey(id) {
    const frames = this.#find(id).prompts.map((each) => Number(each.prompt.frame)).sort((a, b) => a - b);
    const next = frames.find((each) => each > this.store.state.frame) ?? frames[0];
    this.store.set({ object: id });
    if (next !== undefined) this.player.goTo(next);
  }

  /** @param {HTMLElement} row @param {PickedObject} object */
  #showRow(row, object) {
    const { object: chosen, session } = this.store.state;
    const [color, name] = /** @type {HTMLInputElement[]} */ ([...row.querySelectorAll("input")]);
    const [count, eye, away] = [...row.querySelectorAll("button")];
    const isThere = session?.objects.some((each) => each.object_id === object.object_id) ?? false;
    const isPlain = !object.name || object.name === `Object ${object.object_id}`; // as the server calls it by itself
    const label = isPlain ? word("object", object.object_id) : object.name;
    row.setAttribute("aria-current", String(object.object_id === chosen));
    color.value = object.color;
    color.setAttribute("aria-label", word("colorOf", label));
    if (document.activeElement !== name) name.value = label;
    name.setAttribute("aria-label", word("nameOf", label));
    setText(count, word("keys", object.prompts.length));
    count.title = word("goToKey");
    count.setAttribute("aria-label", word("keysOf", label, object.prompts.length));
    eye.replaceChildren(icon(object.hidden ? "hidden" : "eye"));
    eye.setAttribute("aria-pressed", String(!object.hidden));
    eye.title = word("showHide");
    eye.setAttribute("aria-label", word("showOf", label));
    away.title = word("delete");
    away.setAttribute("aria-label", word("deleteOf", label));
    for (const each of [color, name, count, eye, away]) each.disabled = !isThere;
  }

  #showSaid() {
    const { state } = this.store;
    if (!state.session || state.speed) return;
    const said = saidAt(state, state.object, state.frame);
    const prompted = promptedAt(state, state.object, state.frame);
    const draft = state.drafts.get(promptKey(state.object, state.frame));
    const problem = draft?.problem || (draft ? "" : prompted?.problem ?? "");
    const marks = isNothing(said) ? word("noMarks") : word("marks", markCount(said));
    setText(element("said"), draft && !problem ? word("sending") : marks);
    setText(element("problem"), problem);
    element("problem").hidden = !problem;
    button("again").hidden = !problem;
    button("clear").disabled = isNothing(said);
    if (document.activeElement !== input("name")) input("name").value = said.name;
    element("hits").hidden = !said.name;
    button("hitbefore").disabled = said.hit < 2;
    setText(element("hit"), word("hit", said.hit));
    const count = draft ? 0 : prompted?.candidate_count ?? 0;
    element("candidates").hidden = count < 2;
    setText(element("candidate"), word("candidate", (prompted?.chosen ?? 0) + 1, count, Math.round((prompted?.score ?? 0) * 100)));
  }
}
