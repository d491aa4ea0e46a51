// The picture with what was found and what was pointed at. Points are source pixels, from the centre of the top left one.

const INSIDE = "#22c55e";
const OUTSIDE = "#ef4444";
const TINT = 0x80ff6a3d; // as the bytes A B G R
const RIM = 0xffffffff;

/** Draws on a canvas that is as large as the page lets it be. */
export class View {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.size = null; // { width, height, stretch } of the media
  }

  setMedia({ width, height, pixel_aspect: aspect }) {
    this.size = { width, height, stretch: aspect ? Number(aspect.numerator) / Number(aspect.denominator) : 1 };
  }

  /** Where the picture stands, in CSS pixels; x and y are CSS pixels for one source pixel. */
  get place() {
    const { width, height, stretch } = this.size;
    const { clientWidth, clientHeight } = this.canvas;
    const y = Math.min(clientWidth / (width * stretch), clientHeight / height);
    const x = y * stretch;
    return { x, y, left: (clientWidth - x * width) / 2, top: (clientHeight - y * height) / 2 };
  }

  /** The source's point under the pointer, and whether it is in the picture. */
  pointAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const { x, y, left, top } = this.place;
    const point = { x: (event.clientX - box.left - left) / x - 0.5, y: (event.clientY - box.top - top) / y - 0.5 };
    const kept = this.within(point);
    const inPicture = Math.abs(point.x - kept.x) <= 0.5 && Math.abs(point.y - kept.y) <= 0.5;
    return { point: kept, inPicture };
  }

  within({ x, y }) {
    const clamp = (value, top) => Math.min(Math.max(value, 0), top);
    return { x: clamp(x, this.size.width - 1), y: clamp(y, this.size.height - 1) };
  }

  /**
   * Draws everything anew.
   * @param {ImageBitmap | null} picture
   * @param {OffscreenCanvas | null} overlay
   * @param {Array<object>} marks points `{ x, y, inside }` and boxes `{ box }`
   * @param {object | null} cursor the keyboard's place
   */
  draw(picture, overlay, marks, cursor) {
    const scale = devicePixelRatio;
    const { canvas, pen } = this;
    canvas.width = Math.round(canvas.clientWidth * scale);
    canvas.height = Math.round(canvas.clientHeight * scale);
    pen.scale(scale, scale);
    const { x, y, left, top } = this.place;
    const area = [left, top, x * this.size.width, y * this.size.height];
    if (picture) pen.drawImage(picture, ...area);
    if (overlay) pen.drawImage(overlay, ...area);
    for (const mark of marks) mark.box ? this.#drawBox(mark.box) : this.#drawPoint(mark);
    if (cursor) this.#drawCursor(cursor);
  }

  #toCanvas(point) {
    const { x, y, left, top } = this.place;
    return [left + (point.x + 0.5) * x, top + (point.y + 0.5) * y];
  }

  #drawPoint(point) {
    const [x, y] = this.#toCanvas(point);
    const { pen } = this;
    pen.beginPath();
    pen.arc(x, y, 7, 0, 2 * Math.PI);
    pen.fillStyle = point.inside ? INSIDE : OUTSIDE;
    pen.fill();
    pen.moveTo(x - 3, y); // a plus or a minus, for who cannot tell the colours
    pen.lineTo(x + 3, y);
    if (point.inside) pen.moveTo(x, y - 3);
    if (point.inside) pen.lineTo(x, y + 3);
    pen.lineWidth = 2;
    pen.strokeStyle = "#fff";
    pen.stroke();
  }

  #drawBox({ x0, y0, x1, y1 }) {
    const [left, top] = this.#toCanvas({ x: x0 - 0.5, y: y0 - 0.5 });
    const [right, bottom] = this.#toCanvas({ x: x1 + 0.5, y: y1 + 0.5 });
    this.#frame(left, top, right - left, bottom - top);
  }

  #drawCursor(point) {
    const [x, y] = this.#toCanvas(point);
    this.#frame(x - 8, y - 8, 16, 16);
  }

  #frame(...area) {
    for (const [colour, width] of [["#000a", 4], ["#fff", 2]]) {
      this.pen.strokeStyle = colour;
      this.pen.lineWidth = width;
      this.pen.strokeRect(...area);
    }
  }
}

/** A box with both corners in it. */
export function boxBetween(from, to) {
  return {
    x0: Math.round(Math.min(from.x, to.x)), y0: Math.round(Math.min(from.y, to.y)),
    x1: Math.round(Math.max(from.x, to.x)), y1: Math.round(Math.max(from.y, to.y)),
  };
}

/** A mask's PNG, in base64, as a tint with a bright rim. */
export async function overlayOf(png) {
  const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
  const mask = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const { width, height } = mask;
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(mask, 0, 0);
  const pixels = pen.getImageData(0, 0, width, height);
  const values = new Uint32Array(pixels.data.buffer);
  const inside = Uint8Array.from(values, (value) => (value & 0xff) >> 7);
  const rim = Math.max(1, Math.round(height / 360));
  const isEdge = (i) => !(inside[i - rim] && inside[i + rim] && inside[i - rim * width] && inside[i + rim * width]);
  for (let i = 0; i < values.length; i++) values[i] = inside[i] ? (isEdge(i) ? RIM : TINT) : 0;
  pen.putImageData(pixels, 0, 0);
  return canvas;
}
