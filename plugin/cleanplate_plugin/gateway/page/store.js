// The one place where the page keeps what it knows.

/** @typedef {import("./wire.d.ts").State} State */

/** Keeps the state and tells who watches a part of it, once for all changes made together. */
export class Store {
  /** @type {Array<{ keys: ReadonlySet<keyof State>, act: () => void }>} */
  #watchers = [];
  /** @type {Set<keyof State>} */
  #changed = new Set();

  /** @param {State} state */
  constructor(state) {
    this.state = state;
  }

  /** @param {Partial<State>} patch */
  set(patch) {
    for (const key of /** @type {Array<keyof State>} */ (Object.keys(patch))) {
      if (this.state[key] !== patch[key]) this.touch(key);
    }
    Object.assign(this.state, patch);
  }

  /**
   * Says that a part was changed in place.
   * @param {keyof State} key
   */
  touch(key) {
    if (!this.#changed.size) queueMicrotask(() => this.#tell());
    this.#changed.add(key);
  }

  /**
   * Acts now, and whenever one of the parts has changed.
   * @param {Array<keyof State>} keys
   * @param {() => void} act
   */
  watch(keys, act) {
    this.#watchers.push({ keys: new Set(keys), act });
    act();
  }

  #tell() {
    const changed = this.#changed;
    this.#changed = new Set();
    for (const { keys, act } of this.#watchers) {
      if ([...changed].some((key) => keys.has(key))) act();
    }
  }
}

/** @returns {State} as it is before anything is known. */
export function blankState() {
  return {
    session: null, tracks: new Map(), jobs: new Map(), drafts: new Map(),
    frame: 0, first: 0, last: 0, reelFirst: 0, reelLast: 0, speed: 0,
    object: 1, tool: "point", brush: 24, mode: "mask", unseen: false, chosen: "", wipe: 0.5, zoom: 0, cross: null,
    sliding: null, estimate: null, models: [], connection: "opening", waiting: 0, status: "", failure: "", language: "",
    undo: "", redo: "",
  };
}
