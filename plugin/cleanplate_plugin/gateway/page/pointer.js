// The hand on the picture: clicks, boxes, brush lines, moving and enlarging it, the wipe.

import { clamp } from "./lens.js";
import { boxBetween, saidAt } from "./said.js";

/**
 * @typedef {import("./wire.d.ts").Place} Place
 * @typedef {import("./wire.d.ts").Said} Said
 */

const DRAG_PX = 5; // less than this is a click
const WIPE_PX = 14;
const WHEEL_PX = 40; // for one step

/** What a hold of the button does, besides beginning. */
/** @typedef {{ move: (event: PointerEvent) => void, end: (event: PointerEvent) => void }} Hold */

export class Pointer {
  /** @type {Hold | null} */
  #hold = null;
  #wheel = 0;
  isSpaceDown = false;

  /**
   * @param {import("./viewer.js").Viewer} viewer
   * @param {import("./store.js").Store} store
   * @param {import("./deeds.js").Deeds} deeds
   * @param {{ onZoom: () => void, onHover: (point: Place | null) => void }} listener
   */
  constructor(viewer, store, deeds, listener) {
    this.viewer = viewer;
    this.lens = viewer.lens;
    this.store = store;
    this.deeds = deeds;
    this.listener = listener;
    const { canvas } = viewer;
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#end(event));
    canvas.addEventListener("pointercancel", () => this.#drop());
    canvas.addEventListener("pointerleave", () => this.#leave());
    canvas.addEventListener("wheel", (event) => this.#turn(event), { passive: false });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("auxclick", (event) => event.preventDefault());
  }

  /**
   * Says that a point is on the object, or on something else.
   * @param {Place} point
   * @param {boolean} isInside
   */
  point(point, isInside) {
    const side = isInside ? /** @type {const} */ ("SIDE_INSIDE") : /** @type {const} */ ("SIDE_OUTSIDE");
    this.deeds.say((said) => ({ ...said, points: [...said.points, { ...point, side }], base: this.#mends(said) }), "point");
  }

  /** @param {PointerEvent} event */
  #begin(event) {
    const { point, inPicture } = this.lens.pointAt(event);
    const { state } = this.store;
    this.viewer.canvas.focus({ preventScroll: true });
    if (event.button === 1 || this.isSpaceDown || (event.button === 0 && state.tool === "hand")) this.#hold = this.#panning(event);
    else if (event.button !== 0) return;
    else if (state.mode === "wipe" && Math.abs(this.#wipeAt - event.clientX) < WIPE_PX) this.#hold = this.#wiping();
    else if (state.mode !== "mask" || !inPicture) return;
    else this.#hold = state.tool === "point" ? this.#pointing(event, point) : this.#painting(point, event);
    event.preventDefault();
    this.viewer.canvas.setPointerCapture(event.pointerId);
    this.store.set({ speed: 0, cross: null });
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const { point, inPicture } = this.lens.pointAt(event);
    const { tool, mode } = this.store.state;
    const paints = mode === "mask" && (tool === "brush" || tool === "erase");
    this.viewer.gesture.brush = paints && inPicture ? point : undefined;
    this.listener.onHover(inPicture ? point : null);
    this.#hold?.move(event);
    this.viewer.ask();
  }

  /** @param {PointerEvent} event */
  #end(event) {
    const hold = this.#hold;
    this.#drop();
    hold?.end(event);
  }

  #drop() {
    this.#hold = null;
    this.viewer.gesture = { brush: this.viewer.gesture.brush };
    this.viewer.ask();
  }

  #leave() {
    this.viewer.gesture.brush = undefined;
    this.listener.onHover(null);
    this.viewer.ask();
  }

  /**
   * @param {PointerEvent} start
   * @param {Place} from
   * @returns {Hold}
   */
  #pointing(start, from) {
    const isClick = (/** @type {PointerEvent} */ event) =>
      Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) < DRAG_PX;
    const boxTo = (/** @type {PointerEvent} */ event) => boxBetween(from, this.lens.pointAt(event).point);
    return {
      move: (event) => { this.viewer.gesture.box = isClick(event) ? undefined : boxTo(event); },
      end: (event) => {
        if (isClick(event)) this.point(from, !event.altKey);
        else this.deeds.say((said) => ({ ...said, box: boxTo(event) }), "box");
      },
    };
  }

  /**
   * @param {Place} from
   * @param {PointerEvent} start
   * @returns {Hold}
   */
  #painting(from, start) {
    const { tool, brush } = this.store.state;
    const side = (tool === "brush") !== start.altKey ? /** @type {const} */ ("SIDE_INSIDE") : /** @type {const} */ ("SIDE_OUTSIDE");
    const points = [from];
    const stroke = { points, radius_px: brush / 2, side };
    this.viewer.gesture.stroke = stroke;
    return {
      move: (event) => { points.push(this.lens.pointAt(event).point); },
      end: () => this.deeds.say((said) => ({ ...said, edits: [...said.edits, stroke], base: this.#mends(said) }), tool),
    };
  }

  /** Whether what is said mends the mask that is shown, which somebody has followed there or began from before. */
  /** @param {Said} said */
  #mends(said) {
    const { state } = this.store;
    const { object, frame, tracks } = state;
    if (said.base) return true;
    const isFresh = saidAt(state, object, frame) === said && !said.points.length && !said.box && !said.name && !said.edits.length;
    const shown = tracks.get(object)?.get(frame)?.state;
    return isFresh && (shown !== undefined && shown !== "KEY" || state.tool === "brush" || state.tool === "erase");
  }

  /**
   * @param {PointerEvent} start
   * @returns {Hold}
   */
  #panning(start) {
    let [x, y] = [start.clientX, start.clientY];
    return {
      move: (event) => {
        this.lens.pan((event.clientX - x) * devicePixelRatio, (event.clientY - y) * devicePixelRatio);
        [x, y] = [event.clientX, event.clientY];
      },
      end: () => undefined,
    };
  }

  /** The wipe's edge on the screen. */
  get #wipeAt() {
    const { left, x } = this.lens.place;
    const edge = left + this.store.state.wipe * x * this.lens.width;
    return this.viewer.canvas.getBoundingClientRect().left + edge / devicePixelRatio;
  }

  /** @returns {Hold} */
  #wiping() {
    const move = (/** @type {PointerEvent} */ event) => {
      const { left, x } = this.lens.place;
      const at = (event.clientX - this.viewer.canvas.getBoundingClientRect().left) * devicePixelRatio;
      this.store.set({ wipe: clamp((at - left) / (x * this.lens.width), 0, 1) });
    };
    return { move, end: () => undefined };
  }

  /** @param {WheelEvent} event */
  #turn(event) {
    event.preventDefault();
    this.#wheel += event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * WHEEL_PX : event.deltaY;
    if (Math.abs(this.#wheel) < WHEEL_PX) return;
    this.lens.step(this.#wheel < 0 ? 1 : -1, this.lens.pointAt(event).point);
    this.#wheel = 0;
    this.listener.onZoom();
  }
}
