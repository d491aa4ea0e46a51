// How the picture lies on the screen: fitted, or enlarged and moved. Points are source pixels from the centre of the top
// left one.

/** @typedef {import("./wire.d.ts").Place} Place */

export const ZOOMS = [0.25, 0.5, 1, 2, 4, 8]; // device pixels for one source pixel
const HEIGHTS = [270, 360, 540, 720, 1080, 1440, 2160]; // few sizes, so that frames are found in the browser's cache

/**
 * @param {number} value
 * @param {number} least
 * @param {number} most
 */
export const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

export class Lens {
  width = 1;
  height = 1;
  stretch = 1;
  hasMedia = false;
  zoom = 0; // 0 fits the picture in
  /** @type {Place} */
  centre = { x: 0, y: 0 };

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
  }

  /** @param {import("./wire.d.ts").Clip} clip */
  setMedia({ width, height, pixel_aspect: aspect }) {
    const stretch = aspect ? Number(aspect.numerator) / Number(aspect.denominator) : 1;
    Object.assign(this, { width, height, stretch, hasMedia: true, centre: { x: width / 2, y: height / 2 } });
  }

  /** Device pixels for one source pixel's height. */
  get scale() {
    return this.zoom || this.#fit;
  }

  get #fit() {
    const { clientWidth, clientHeight } = this.canvas;
    return Math.min(clientWidth / (this.width * this.stretch), clientHeight / this.height) * devicePixelRatio;
  }

  /** In device pixels: where the picture's corner is, and how large a source pixel. */
  get place() {
    const y = this.scale;
    const x = y * this.stretch;
    const [width, height] = [this.canvas.clientWidth * devicePixelRatio, this.canvas.clientHeight * devicePixelRatio];
    const side = (/** @type {number} */ all, /** @type {number} */ own, /** @type {number} */ middle) =>
      own <= all ? (all - own) / 2 : clamp(all / 2 - middle, all - own, 0);
    const left = Math.round(side(width, x * this.width, this.centre.x * x));
    const top = Math.round(side(height, y * this.height, this.centre.y * y));
    return { x, y, left, top };
  }

  /**
   * The source's point under the pointer, kept within the picture, and whether it was in it.
   * @param {{ clientX: number, clientY: number }} event
   */
  pointAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const { x, y, left, top } = this.place;
    const point = {
      x: ((event.clientX - box.left) * devicePixelRatio - left) / x - 0.5,
      y: ((event.clientY - box.top) * devicePixelRatio - top) / y - 0.5,
    };
    const kept = this.within(point);
    return { point: kept, inPicture: Math.abs(point.x - kept.x) <= 0.5 && Math.abs(point.y - kept.y) <= 0.5 };
  }

  /** @param {Place} point */
  within({ x, y }) {
    return { x: clamp(x, 0, this.width - 1), y: clamp(y, 0, this.height - 1) };
  }

  /**
   * On the canvas, in device pixels.
   * @param {Place} point
   * @returns {[number, number]}
   */
  toCanvas(point) {
    const { x, y, left, top } = this.place;
    return [left + (point.x + 0.5) * x, top + (point.y + 0.5) * y];
  }

  /**
   * Enlarges, keeping a point where it is.
   * @param {number} zoom 0 fits
   * @param {Place} [point] default is the middle
   */
  zoomTo(zoom, point) {
    if (!zoom) {
      Object.assign(this, { zoom: 0, centre: { x: this.width / 2, y: this.height / 2 } });
      return;
    }
    const before = point && this.toCanvas(point);
    this.zoom = clamp(zoom, ZOOMS[0], ZOOMS[ZOOMS.length - 1]);
    if (!point || !before) {
      this.#look(this.centre);
      return;
    }
    const { clientWidth, clientHeight } = this.canvas;
    this.#look({
      x: point.x + 0.5 - (before[0] - clientWidth * devicePixelRatio / 2) / (this.zoom * this.stretch),
      y: point.y + 0.5 - (before[1] - clientHeight * devicePixelRatio / 2) / this.zoom,
    });
  }

  /**
   * @param {1 | -1} way
   * @param {Place} [point]
   */
  step(way, point) {
    const now = this.scale;
    const next = way > 0 ? ZOOMS.find((each) => each > now * 1.01) : ZOOMS.findLast((each) => each < now * 0.99);
    if (next) this.zoomTo(next, point);
    else if (way < 0) this.zoomTo(0);
  }

  /**
   * @param {number} x device pixels
   * @param {number} y
   */
  pan(x, y) {
    const { scale, stretch } = this;
    this.#look({ x: this.centre.x - x / (scale * stretch), y: this.centre.y - y / scale });
  }

  /** @param {Place} centre */
  #look({ x, y }) {
    const halfX = this.canvas.clientWidth * devicePixelRatio / (2 * this.scale * this.stretch);
    const halfY = this.canvas.clientHeight * devicePixelRatio / (2 * this.scale);
    this.centre = {
      x: halfX * 2 >= this.width ? this.width / 2 : clamp(x, halfX, this.width - halfX),
      y: halfY * 2 >= this.height ? this.height / 2 : clamp(y, halfY, this.height - halfY),
    };
  }

  /**
   * How high a picture must be to look right; 0 is full size, exact.
   * @param {boolean} isMoving while it plays, less will do
   */
  heightFor(isMoving) {
    const shown = this.height * this.scale;
    const enough = HEIGHTS.find((each) => each >= shown * 0.98) ?? 0;
    if (isMoving) return Math.min(enough || 540, 540);
    return this.scale >= 1 || enough >= this.height ? 0 : enough;
  }
}
