// What was done, so that it can be undone: a list of deeds with their opposites.

/** @typedef {{ word: string, undo: () => void, redo: () => void, merge?: string }} Deed */

const MERGE_MS = 1500; // a slider's way is one deed
const LIMIT = 500;

export class History {
  /** @type {Deed[]} */
  #done = [];
  /** @type {Deed[]} */
  #undone = [];
  #last = 0;

  /** @param {(undo: string, redo: string) => void} onChange told the words of what can be undone and redone */
  constructor(onChange) {
    this.onChange = onChange;
  }

  /**
   * Does something for the first time.
   * @param {Deed} deed
   */
  do(deed) {
    const before = this.#done.at(-1);
    const now = performance.now();
    deed.redo();
    if (deed.merge && before?.merge === deed.merge && now - this.#last < MERGE_MS) before.redo = deed.redo;
    else this.#done.push(deed);
    this.#last = now;
    this.#undone = [];
    if (this.#done.length > LIMIT) this.#done.shift();
    this.#tell();
  }

  undo() {
    this.#move(this.#done, this.#undone, "undo");
  }

  redo() {
    this.#move(this.#undone, this.#done, "redo");
  }

  /**
   * @param {Deed[]} from
   * @param {Deed[]} to
   * @param {"undo" | "redo"} way
   */
  #move(from, to, way) {
    const deed = from.pop();
    if (!deed) return;
    deed[way]();
    to.push(deed);
    this.#last = 0;
    this.#tell();
  }

  #tell() {
    this.onChange(this.#done.at(-1)?.word ?? "", this.#undone.at(-1)?.word ?? "");
  }
}
