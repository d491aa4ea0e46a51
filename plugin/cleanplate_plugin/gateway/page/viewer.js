// Draws the picture, what was found on it, and what was pointed at.

import { checkers, differenceOf, stripes } from "./layers.js";
import { word } from "./language.js";
import { promptKey, saidAt } from "./said.js";
import { JUDGING } from "./wishes.js";

/**
 * @typedef {import("./wire.d.ts").State} State
 * @typedef {import("./wire.d.ts").Place} Place
 * @typedef {import("./pictures.js").Picture} Picture
 * @typedef {import("./pictures.js").Wish} Wish
 */

const INSIDE = "#2fbf71";
const OUTSIDE = "#e5484d";
const SLIDING_ALPHA = 0.6;

/** What the hand is doing: a box being dragged, a line being painted. */
/** @typedef {{ box?: import("./wire.d.ts").Box, stroke?: import("./wire.d.ts").Stroke, brush?: Place }} Gesture */

export class Viewer {
  /** @type {Gesture} */
  gesture = {};
  /** @type {{ frame: number, picture: Picture } | null} */
  shown = null;
  #isAsked = false;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {State} state
   * @param {import("./lens.js").Lens} lens
   * @param {import("./wishes.js").Wishes} wishes
   * @param {import("./pictures.js").Pictures} pictures
   */
  constructor(canvas, state, lens, wishes, pictures) {
    this.canvas = canvas;
    this.pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
    this.state = state;
    this.lens = lens;
    this.wishes = wishes;
    this.pictures = pictures;
    this.scratch = new OffscreenCanvas(1, 1);
    this.probe = new OffscreenCanvas(1, 1);
    this.patterns = { checkers: checkers(), stripes: stripes() };
  }

  /** Draws at the next chance, once. */
  ask() {
    if (this.#isAsked) return;
    this.#isAsked = true;
    requestAnimationFrame(() => {
      this.#isAsked = false;
      this.draw();
    });
  }

  /** Whether the frame that is meant is the one that is seen. */
  get isTrue() {
    return this.shown?.frame === this.state.frame;
  }

  /**
   * What stands at a point, where the picture is exact: red, green and blue of 0 to 255, as they are shown.
   * @param {Place} point
   */
  valuesAt(point) {
    const { shown, lens } = this;
    if (!this.isTrue || !shown || shown.picture.height !== lens.height || lens.scale < 1) return null;
    const pen = /** @type {OffscreenCanvasRenderingContext2D} */ (this.probe.getContext("2d", { willReadFrequently: true }));
    pen.drawImage(shown.picture, -Math.round(point.x), -Math.round(point.y));
    return pen.getImageData(0, 0, 1, 1).data;
  }

  draw() {
    const { canvas, state } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((each) => Math.round(each * devicePixelRatio));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    this.pen.fillStyle = "#0c0d0f";
    this.pen.fillRect(0, 0, width, height);
    if (!state.session) return;
    this.pictures.want(this.wishes.all());
    this.pen.imageSmoothingEnabled = this.lens.scale < 1;
    this.#drawPicture();
    if (!this.isTrue) return; // the picture is a frame late, and marks on it would lie
    if (state.mode === "mask") this.#drawMarks();
    this.#drawCross();
  }

  #drawPicture() {
    const { mode, frame } = this.state;
    const plate = this.#best((height) => this.wishes.plate(frame, height));
    if (mode === "matte") this.#drawMatte(plate);
    else if (JUDGING.includes(mode)) this.#drawJudged(plate);
    else this.#drawPlate(plate);
    if (this.state.unseen && this.isTrue) this.#drawPatterned(this.wishes.unseen(frame), this.patterns.stripes);
  }

  /** @param {Picture | null} plate */
  #drawPlate(plate) {
    const { mode, frame, sliding } = this.state;
    if (plate) this.shown = { frame, picture: plate };
    if (this.shown) this.#put(this.shown.picture);
    if (!this.isTrue) return;
    if (mode === "hole") this.#drawPatterned(this.wishes.matte(frame, "alpha"), this.patterns.checkers);
    else if (sliding) this.#drawVeil(this.wishes.matte(frame, "alpha"));
    else this.#drawMasks();
  }

  #drawMasks() {
    const { frame } = this.state;
    for (const height of this.#heights) {
      const found = this.wishes.masks(frame, height).map((wish) => this.pictures.find(wish));
      if (height !== this.#heights.at(-1) && found.some((each) => !each)) continue; // one that has them all
      for (const each of found) if (each) this.#put(each);
      return;
    }
  }

  /** @param {Picture | null} plate */
  #drawMatte(plate) {
    const { frame } = this.state;
    const wish = this.wishes.matte(frame, "plain");
    const matte = wish && this.pictures.find(wish);
    if (matte || !wish) this.shown = { frame, picture: matte ?? plate ?? new OffscreenCanvas(1, 1) };
    const { left, top, x, y } = this.lens.place;
    this.pen.fillStyle = "#000";
    this.pen.fillRect(left, top, x * this.lens.width, y * this.lens.height);
    if (matte) this.#put(matte);
  }

  /** @param {Picture | null} plate */
  #drawJudged(plate) {
    const { mode, frame } = this.state;
    const after = this.#best((height) => this.wishes.after(frame, height));
    if (!after) { // not in the take: the plate, and the page says so
      if (plate) this.shown = { frame, picture: plate };
      if (this.shown) this.#put(this.shown.picture);
      return;
    }
    this.shown = { frame, picture: after };
    this.#put(after);
    if (mode === "wipe" && plate) this.#drawWipe(plate);
    if (mode === "difference") this.#drawDifference();
  }

  /** @param {Picture} plate */
  #drawWipe(plate) {
    const { pen, lens } = this;
    const { left, top, x, y } = lens.place;
    const edge = Math.round(left + this.state.wipe * x * lens.width);
    pen.save();
    pen.beginPath();
    pen.rect(left, top, edge - left, y * lens.height);
    pen.clip();
    this.#put(plate);
    pen.restore();
    pen.fillStyle = "#fff";
    pen.fillRect(edge - 1, top, 2, y * lens.height);
    const middle = Math.min(Math.max(this.canvas.height / 2, top), top + y * lens.height);
    pen.beginPath();
    pen.arc(edge, middle, 9 * devicePixelRatio, 0, 2 * Math.PI);
    pen.fill();
    this.#label(word("before"), edge - 12 * devicePixelRatio, "right");
    this.#label(word("after"), edge + 12 * devicePixelRatio, "left");
  }

  /**
   * At the screen's lower edge.
   * @param {string} text
   * @param {number} x
   * @param {CanvasTextAlign} align
   */
  #label(text, x, align) {
    const { pen, canvas } = this;
    pen.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
    pen.textAlign = align;
    const y = canvas.height - 12 * devicePixelRatio;
    pen.strokeStyle = "#000c";
    pen.lineWidth = 3 * devicePixelRatio;
    pen.strokeText(text, x, y);
    pen.fillStyle = "#fff";
    pen.fillText(text, x, y);
  }

  /** Of pictures of one size, the best pair that is there; true pixels are compared, not what was made for looking at. */
  #drawDifference() {
    const { frame } = this.state;
    for (const height of this.#heights) {
      const [after, plate] = [this.wishes.after(frame, height), this.wishes.plate(frame, height)]
        .map((wish) => wish && this.pictures.find(wish));
      if (after && plate) return this.#put(differenceOf(after, plate));
    }
  }

  /** @param {Wish | null} wish */
  #drawVeil(wish) {
    const alpha = wish && this.pictures.find(wish);
    if (!alpha) return this.#drawMasks();
    this.#stamp(alpha, this.#color);
    this.pen.save();
    this.pen.globalAlpha = SLIDING_ALPHA;
    this.pen.drawImage(this.scratch, 0, 0);
    this.pen.restore();
  }

  /**
   * @param {Wish | null} wish
   * @param {OffscreenCanvas} tile
   */
  #drawPatterned(wish, tile) {
    const alpha = wish && this.pictures.find(wish);
    if (!alpha) return;
    this.#stamp(alpha, /** @type {CanvasPattern} */ (this.pen.createPattern(tile, "repeat")));
    this.pen.drawImage(this.scratch, 0, 0);
  }

  /**
   * Paints a shape onto the scratch.
   * @param {Picture} alpha
   * @param {string | CanvasPattern} paint
   */
  #stamp(alpha, paint) {
    const pen = this.#clearScratch();
    pen.imageSmoothingEnabled = this.lens.scale < 1;
    this.#put(alpha, pen);
    pen.globalCompositeOperation = "source-in";
    pen.fillStyle = paint;
    pen.fillRect(0, 0, this.scratch.width, this.scratch.height);
    pen.globalCompositeOperation = "source-over";
  }

  #clearScratch() {
    const { scratch, canvas } = this;
    Object.assign(scratch, { width: canvas.width, height: canvas.height });
    return /** @type {OffscreenCanvasRenderingContext2D} */ (scratch.getContext("2d"));
  }

  #drawMarks() {
    const { state, gesture } = this;
    const said = saidAt(state, state.object, state.frame);
    const waits = state.drafts.has(promptKey(state.object, state.frame));
    for (const stroke of waits ? said.edits : []) this.#drawStroke(stroke);
    if (gesture.stroke) this.#drawStroke(gesture.stroke);
    for (const box of [said.box, gesture.box]) if (box) this.#drawBox(box);
    for (const point of said.points) this.#drawPoint(point, point.side === "SIDE_INSIDE");
    if (gesture.brush) this.#drawRing(gesture.brush, state.brush / 2);
  }

  /** @param {Place} point @param {boolean} isInside */
  #drawPoint(point, isInside) {
    const [x, y] = this.lens.toCanvas(point);
    const { pen } = this;
    const [radius, arm] = [6.5 * devicePixelRatio, 3 * devicePixelRatio];
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.fillStyle = isInside ? INSIDE : OUTSIDE;
    pen.fill();
    pen.moveTo(x - arm, y); // a plus or a minus, for who cannot tell the colours
    pen.lineTo(x + arm, y);
    if (isInside) pen.moveTo(x, y - arm);
    if (isInside) pen.lineTo(x, y + arm);
    pen.lineWidth = 1.5 * devicePixelRatio;
    pen.strokeStyle = "#fff";
    pen.stroke();
  }

  /** @param {import("./wire.d.ts").Box} box */
  #drawBox({ x0, y0, x1, y1 }) {
    const [left, top] = this.lens.toCanvas({ x: x0 - 0.5, y: y0 - 0.5 });
    const [right, bottom] = this.lens.toCanvas({ x: x1 + 0.5, y: y1 + 0.5 });
    this.#outline((pen) => pen.strokeRect(left, top, right - left, bottom - top));
  }

  /** @param {import("./wire.d.ts").Stroke} stroke */
  #drawStroke({ points, radius_px: radius, side }) {
    const { pen, lens } = this;
    pen.save();
    Object.assign(pen, { lineCap: "round", lineJoin: "round", lineWidth: 2 * radius * lens.scale, globalAlpha: 0.5 });
    pen.strokeStyle = side === "SIDE_INSIDE" ? this.#color : "#000";
    pen.beginPath();
    points.forEach((point, number) => pen[number ? "lineTo" : "moveTo"](...lens.toCanvas(point)));
    if (points.length === 1) pen.lineTo(...lens.toCanvas(points[0]));
    pen.stroke();
    pen.restore();
  }

  /** @param {Place} point @param {number} radius source pixels */
  #drawRing(point, radius) {
    const [x, y] = this.lens.toCanvas(point);
    this.#outline((pen) => {
      pen.beginPath();
      pen.arc(x, y, radius * this.lens.scale, 0, 2 * Math.PI);
      pen.stroke();
    });
  }

  #drawCross() {
    const { cross } = this.state;
    if (!cross) return;
    const [x, y] = this.lens.toCanvas(cross);
    const arm = 12 * devicePixelRatio;
    this.#outline((pen) => {
      pen.beginPath();
      for (const way of [-1, 1]) {
        pen.moveTo(x + way * 4, y);
        pen.lineTo(x + way * arm, y);
        pen.moveTo(x, y + way * 4);
        pen.lineTo(x, y + way * arm);
      }
      pen.stroke();
    });
  }

  /** @param {(pen: CanvasRenderingContext2D) => void} draw light on dark, seen on any ground */
  #outline(draw) {
    for (const [color, width] of /** @type {const} */ ([["#000a", 3.5], ["#fff", 1.5]])) {
      this.pen.strokeStyle = color;
      this.pen.lineWidth = width * devicePixelRatio;
      draw(this.pen);
    }
  }

  get #color() {
    const { session, object } = this.state;
    return session?.objects.find((each) => each.object_id === object)?.color ?? "#8a8f98";
  }

  /** Heights that will do, best first. */
  get #heights() {
    const { wishes, state } = this;
    return [...new Set([wishes.height(state.speed !== 0), wishes.height(false), wishes.height(true)])];
  }

  /**
   * The best picture that is there already.
   * @param {(height: number) => Wish | null} wish
   */
  #best(wish) {
    for (const height of this.#heights) {
      const asked = wish(height);
      const found = asked && this.pictures.find(asked);
      if (found) return found;
    }
    return null;
  }

  /** @param {Picture} picture @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} [pen] */
  #put(picture, pen = this.pen) {
    const { x, y, left, top } = this.lens.place;
    pen.drawImage(picture, left, top, x * this.lens.width, y * this.lens.height);
  }
}
