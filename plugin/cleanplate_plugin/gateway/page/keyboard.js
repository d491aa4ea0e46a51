// Keys: they run commands, wherever the focus is, but where somebody writes; and they lead a cross over the picture.

import { boxBetween } from "./said.js";

/** @typedef {import("./commands.js").Command} Command */

const STEPS = new Map([["ArrowLeft", [-1, 0]], ["ArrowRight", [1, 0]], ["ArrowUp", [0, -1]], ["ArrowDown", [0, 1]]]);

/**
 * A key with what is held beside it, such as `Ctrl+Shift+Z`; Command of a Mac is Ctrl.
 * @param {KeyboardEvent} event
 */
export function keyText({ key, ctrlKey, metaKey, altKey, shiftKey, code }) {
  const isLetter = /^Key[A-Z]$/.test(code);
  const name = key === " " ? "Space" : isLetter && altKey ? code.slice(3) : key.length === 1 ? key.toUpperCase() : key;
  const shows = shiftKey && (isLetter || name.length > 1); // with other keys the sign itself says it
  return [ctrlKey || metaKey ? "Ctrl" : "", altKey ? "Alt" : "", shows ? "Shift" : "", name].filter(Boolean).join("+");
}

export class Keyboard {
  /** @type {import("./wire.d.ts").Place | null} */
  #corner = null;
  #isPanned = false;

  /**
   * @param {Command[]} commands
   * @param {import("./store.js").Store} store
   * @param {import("./pointer.js").Pointer} pointer
   * @param {import("./deeds.js").Deeds} deeds
   */
  constructor(commands, store, pointer, deeds) {
    this.commands = new Map(commands.flatMap((command) => command.keys.map((key) => [key, command])));
    this.store = store;
    this.pointer = pointer;
    this.deeds = deeds;
    this.canvas = pointer.viewer.canvas;
    addEventListener("keydown", (event) => this.#down(event));
    addEventListener("keyup", (event) => this.#up(event));
    addEventListener("blur", () => { pointer.isSpaceDown = false; });
    this.canvas.addEventListener("pointerdown", () => { this.#isPanned = pointer.isSpaceDown; });
    this.canvas.addEventListener("blur", () => this.#leave());
    addEventListener("click", (event) => this.#giveBack(event));
  }

  /** @param {KeyboardEvent} event */
  #down(event) {
    const key = keyText(event);
    if (!this.store.state.session || document.querySelector("dialog[open]")) return;
    if (event.target === this.canvas && this.#lead(event, key)) {
      event.preventDefault();
      return;
    }
    const command = this.commands.get(key);
    if (!command || belongsTo(event.target, key)) return;
    event.preventDefault();
    if (key === "Space") this.#space(event);
    else command.run();
  }

  /** Space plays when it is let go, unless it has moved the picture meanwhile. */
  /** @param {KeyboardEvent} event */
  #space(event) {
    if (event.repeat) return;
    this.pointer.isSpaceDown = true;
    this.#isPanned = false;
  }

  /** @param {KeyboardEvent} event */
  #up(event) {
    if (event.key !== " " || !this.pointer.isSpaceDown) return;
    this.pointer.isSpaceDown = false;
    if (!this.#isPanned) this.commands.get("Space")?.run();
  }

  /**
   * Enter shows a cross, arrows lead it, Enter puts a point, X the corners of a box.
   * @param {KeyboardEvent} event
   * @param {string} key
   */
  #lead({ key: plain, shiftKey, altKey }, key) {
    const { cross, session, mode } = this.store.state;
    if (!session || mode !== "mask") return false;
    const step = STEPS.get(plain);
    if (!cross) {
      if (key !== "Enter") return false;
      this.store.set({ cross: { x: Math.round(session.clip.width / 2), y: Math.round(session.clip.height / 2) }, speed: 0 });
    } else if (plain === "Enter") this.pointer.point(cross, !altKey);
    else if (key === "X") this.#putCorner(cross);
    else if (plain === "Escape") this.#leave();
    else if (step) this.#moveCross(step, shiftKey ? 1 : session.clip.height / 40);
    else return false;
    return true;
  }

  /** @param {number[]} step @param {number} far source pixels */
  #moveCross([x, y], far) {
    const { cross } = this.store.state;
    if (!cross) return;
    const next = this.pointer.lens.within({ x: Math.round(cross.x + x * far), y: Math.round(cross.y + y * far) });
    this.store.set({ cross: next });
    if (this.#corner) this.pointer.viewer.gesture.box = boxBetween(this.#corner, next);
  }

  /** @param {import("./wire.d.ts").Place} cross */
  #putCorner(cross) {
    const from = this.#corner;
    this.#corner = from ? null : cross;
    this.pointer.viewer.gesture.box = undefined;
    if (from) this.deeds.say((said) => ({ ...said, box: boxBetween(from, cross) }), "box");
  }

  #leave() {
    this.#corner = null;
    this.pointer.viewer.gesture.box = undefined;
    this.store.set({ cross: null });
  }

  /** A button that was clicked by the mouse gives the keys back to the picture. */
  /** @param {MouseEvent} event */
  #giveBack(event) {
    const isButton = event.target instanceof Element && event.target.closest("main button, #tools button, main input");
    if (event.detail > 0 && isButton) this.canvas.focus({ preventScroll: true });
  }
}

/**
 * Whether a key means something to the element that has the focus.
 * @param {EventTarget | null} target
 * @param {string} key
 */
function belongsTo(target, key) {
  if (!(target instanceof HTMLElement) || key.startsWith("Ctrl+") && !isWritten(target)) return false;
  if (isWritten(target) || target instanceof HTMLSelectElement) return true;
  if (target instanceof HTMLInputElement) return /^(Shift\+)?(Arrow|Home|End|Space|Page)/.test(key);
  return key === "Space" && target.matches("button, summary");
}

/** @param {HTMLElement} target */
function isWritten(target) {
  return target instanceof HTMLInputElement && ["text", "search"].includes(target.type);
}
