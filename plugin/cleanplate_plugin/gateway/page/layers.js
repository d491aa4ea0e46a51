// Masks as something that can be drawn over a picture.

const TINT_ALPHA = 0x70;
const RIM_ALPHA = 0xff;
const RIM_LIGHT = 0.6;

/**
 * A mask in a colour, with a rim of full strength.
 * @param {Mask} mask
 * @param {string} color `#rrggbb`
 */
export function tintOf(mask, color) {
  const { canvas, pen, pixels } = read(mask);
  const values = new Uint32Array(pixels.data.buffer);
  const inside = Uint8Array.from(values, (value) => (value & 0xff) >> 7);
  const { width, height } = mask;
  const rim = Math.max(1, Math.round(height / 720));
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  const ink = (/** @type {number[]} */ [r, g, b], /** @type {number} */ alpha) => ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
  const light = [red, green, blue].map((value) => Math.round(value + (255 - value) * RIM_LIGHT)); // seen on its own colour too
  const [fill, edge] = [ink([red, green, blue], TINT_ALPHA), ink(light, RIM_ALPHA)];
  const step = rim * width;
  for (let i = 0; i < values.length; i++) {
    if (!inside[i]) values[i] = 0;
    else values[i] = inside[i - rim] && inside[i + rim] && inside[i - step] && inside[i + step] ? fill : edge;
  }
  pen.putImageData(pixels, 0, 0);
  return canvas;
}

/**
 * White, as opaque as the mask is bright.
 * @param {Mask} mask
 */
export function alphaOf(mask) {
  const { canvas, pen, pixels } = read(mask);
  const values = new Uint32Array(pixels.data.buffer);
  for (let i = 0; i < values.length; i++) values[i] = ((values[i] & 0xff) << 24) | 0xffffff;
  pen.putImageData(pixels, 0, 0);
  return canvas;
}

/**
 * Four times the difference of two pictures of the same size: a code value more is hardly seen.
 * @param {import("./pictures.js").Picture} after
 * @param {import("./pictures.js").Picture} plate
 */
export function differenceOf(after, plate) {
  const [canvas, copy] = [0, 1].map(() => new OffscreenCanvas(after.width, after.height));
  const [pen, copying] = [canvas, copy].map((each) => /** @type {OffscreenCanvasRenderingContext2D} */ (each.getContext("2d")));
  pen.drawImage(after, 0, 0);
  pen.globalCompositeOperation = "difference"; // before anything is scaled, which would not round alike
  pen.drawImage(plate, 0, 0);
  pen.globalCompositeOperation = "lighter";
  for (let doubling = 0; doubling < 2; doubling++) {
    copying.drawImage(canvas, 0, 0);
    pen.drawImage(copy, 0, 0);
  }
  return canvas;
}

/**
 * A mask and where it lies: an answer to a prompt is a crop of the whole.
 * @typedef {{ bitmap: ImageBitmap, width: number, height: number, area: [number, number, number, number] }} Mask
 */

/** @param {Mask} mask */
function read({ bitmap, width, height, area }) {
  const canvas = new OffscreenCanvas(width, height);
  const pen = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  pen.imageSmoothingEnabled = false;
  pen.drawImage(bitmap, ...area);
  return { canvas, pen, pixels: pen.getImageData(0, 0, width, height) };
}

const TILE_PX = 8;

/** @param {(pen: OffscreenCanvasRenderingContext2D) => void} paint on a tile of two by two fields */
function tile(paint) {
  const canvas = new OffscreenCanvas(2 * TILE_PX, 2 * TILE_PX);
  const pen = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  paint(pen);
  return canvas;
}

/** What is seen through a hole. */
export const checkers = () => tile((pen) => {
  pen.fillStyle = "#9a9a9a";
  pen.fillRect(0, 0, 2 * TILE_PX, 2 * TILE_PX);
  pen.fillStyle = "#666666";
  pen.fillRect(0, 0, TILE_PX, TILE_PX);
  pen.fillRect(TILE_PX, TILE_PX, TILE_PX, TILE_PX);
});

/** Over what no frame shows. */
export const stripes = () => tile((pen) => {
  pen.strokeStyle = "#ff3ea5";
  pen.lineWidth = 4;
  pen.beginPath();
  for (const at of [-2 * TILE_PX, 0, 2 * TILE_PX]) {
    pen.moveTo(at, 2 * TILE_PX);
    pen.lineTo(at + 2 * TILE_PX, 0);
  }
  pen.stroke();
});
