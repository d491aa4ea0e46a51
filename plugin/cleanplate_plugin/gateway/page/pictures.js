// Pictures by their address: loaded a few at a time, the most wanted first, and kept while there is room.

import { call, Refusal } from "./gateway.js";
import { alphaOf, tintOf } from "./layers.js";

const AT_ONCE = 3; // a browser opens six connections to one place, and the events need one
const ROOM_BYTES = 384 << 20;

/**
 * @typedef {ImageBitmap | OffscreenCanvas} Picture
 * @typedef {object} Wish
 * @property {string} url
 * @property {"plain" | "tint" | "alpha"} kind what to make of it
 * @property {string} [color] of a tint
 * @property {number} [height] masks are made so small; 0 is full size
 */

/**
 * Bytes of a picture; a crop comes with its box and the size of the whole.
 * @typedef {{ blob: Blob, whole?: { width: number, height: number }, box?: import("./wire.d.ts").Box }} Given
 */

/** @param {Wish} wish */
const keyOf = ({ url, kind, color = "", height = 0 }) => `${url} ${kind} ${color} ${height}`;

export class Pictures {
  /** @type {Map<string, Picture>} */
  #kept = new Map();
  /** @type {Map<string, AbortController>} */
  #loading = new Map();
  /** @type {Map<string, Refusal>} */
  #refused = new Map();
  /** @type {Map<string, Given>} */
  #given = new Map();
  /** @type {Wish[]} */
  #wishes = [];
  #bytes = 0;

  /**
   * @param {() => void} onArrival
   * @param {(refusal: Refusal) => void} onRefusal
   */
  constructor(onArrival, onRefusal) {
    this.onArrival = onArrival;
    this.onRefusal = onRefusal;
  }

  /** @param {Wish} wish */
  find(wish) {
    const key = keyOf(wish);
    const found = this.#kept.get(key);
    if (found) {
      this.#kept.delete(key); // the last used stay longest
      this.#kept.set(key, found);
    }
    return found ?? null;
  }

  /**
   * Why a picture did not come.
   * @param {Wish} wish
   */
  refusal(wish) {
    return this.#refused.get(keyOf(wish)) ?? null;
  }

  /**
   * Says which pictures are wanted now, most wanted first; what was wanted before and is not any more is let go.
   * @param {Wish[]} wishes
   */
  want(wishes) {
    this.#wishes = wishes;
    const keys = new Set(wishes.map(keyOf));
    for (const [key, control] of this.#loading) if (!keys.has(key)) control.abort();
    this.#load();
  }

  /**
   * Takes bytes that came by another way.
   * @param {string} url
   * @param {Given} given
   */
  give(url, given) {
    this.#given.set(url, given);
    if (this.#given.size > 32) this.#given.delete(/** @type {string} */ (this.#given.keys().next().value));
  }

  /** Forgets what was refused: it may go better now. */
  forgive() {
    this.#refused.clear();
    this.#load();
  }

  #load() {
    for (const wish of this.#wishes) {
      if (this.#loading.size >= AT_ONCE) return;
      const key = keyOf(wish);
      if (!this.#kept.has(key) && !this.#loading.has(key) && !this.#refused.has(key)) this.#fetch(wish, key);
    }
  }

  /**
   * @param {Wish} wish
   * @param {string} key
   */
  async #fetch(wish, key) {
    const control = new AbortController();
    this.#loading.set(key, control);
    try {
      const picture = await pictureOf(wish, this.#given.get(wish.url) ?? await fetched(wish.url, control.signal));
      this.#keep(key, picture);
    } catch (error) {
      if (!control.signal.aborted) this.#refuse(key, error);
    } finally {
      this.#loading.delete(key);
    }
    this.onArrival();
    this.#load();
  }

  /**
   * @param {string} key
   * @param {unknown} error
   */
  #refuse(key, error) {
    const isDamaged = error instanceof DOMException; // the bytes are no picture
    const refusal = isDamaged ? new Refusal({ message: error.message, reason: "DAMAGED" }, 500) : error;
    if (!(refusal instanceof Refusal)) throw error;
    this.#refused.set(key, refusal);
    this.onRefusal(refusal);
  }

  /**
   * @param {string} key
   * @param {Picture} picture
   */
  #keep(key, picture) {
    this.#kept.set(key, picture);
    this.#bytes += 4 * picture.width * picture.height;
    for (const [old, each] of this.#kept) {
      if (this.#bytes <= ROOM_BYTES || old === key) return;
      this.#kept.delete(old);
      this.#bytes -= 4 * each.width * each.height;
    }
  }
}

/**
 * @param {string} url
 * @param {AbortSignal} signal
 */
async function fetched(url, signal) {
  return { blob: await (await call(url, { signal })).blob() };
}

/**
 * @param {Wish} wish
 * @param {Given} given
 */
async function pictureOf({ kind, color = "", height = 0 }, { blob, whole, box }) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  if (kind === "plain") return bitmap;
  const { width: fullWidth, height: fullHeight } = whole ?? bitmap;
  const scale = height ? Math.min(1, height / fullHeight) : 1;
  const isCrop = box && bitmap.width !== fullWidth;
  const [x, y] = isCrop ? [box.x0, box.y0] : [0, 0];
  const mask = {
    bitmap, width: Math.round(fullWidth * scale), height: Math.round(fullHeight * scale),
    area: /** @type {[number, number, number, number]} */ ([x, y, bitmap.width, bitmap.height].map((each) => each * scale)),
  };
  return kind === "tint" ? tintOf(mask, color) : alphaOf(mask);
}
