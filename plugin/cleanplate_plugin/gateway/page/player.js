// Moves through the range: frame by frame, by key, or playing at the media's own speed.

import { clamp } from "./lens.js";
import { rateOf } from "./timecode.js";

const SPEEDS = [1, 2, 4, 8];
const REST_MS = 150; // a frame that is looked at so long will be clicked on

export class Player {
  #began = 0;
  #from = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #rest;

  /**
   * @param {import("./store.js").Store} store
   * @param {{ onRest: (frame: number) => void }} listener
   */
  constructor(store, listener) {
    this.store = store;
    this.listener = listener;
  }


  /**
   * Stops, and shows a frame.
   * @param {number} frame
   */
  goTo(frame) {
    this.store.set({ speed: 0, frame: clamp(Math.round(frame), ...this.#reel) });
    this.rest();
  }

  /** @param {number} count */
  step(count) {
    this.goTo(this.store.state.frame + count);
  }

  /** To the next frame of a few, or the one before. */
  /** @param {number[]} frames @param {1 | -1} way */
  jump(frames, way) {
    const { frame } = this.store.state;
    const there = frames.filter((each) => way * (each - frame) > 0).sort((a, b) => way * (a - b))[0];
    if (there !== undefined) this.goTo(there);
  }

  toggle() {
    this.store.state.speed ? this.pause() : this.#play(1);
  }

  pause() {
    this.goTo(this.store.state.frame);
  }

  /**
   * Plays; once more plays faster.
   * @param {1 | -1} way
   */
  shuttle(way) {
    const { speed } = this.store.state;
    const faster = SPEEDS.find((each) => each > Math.abs(speed)) ?? SPEEDS[SPEEDS.length - 1];
    this.#play(Math.sign(speed) === way ? way * faster : way);
  }

  /** Tells when the frame has been looked at for a while. */
  rest() {
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.listener.onRest(this.store.state.frame), REST_MS);
  }

  get #reel() {
    const { reelFirst, reelLast } = this.store.state;
    return /** @type {const} */ ([reelFirst, reelLast]);
  }

  /** @param {number} speed */
  #play(speed) {
    const { frame, first, last, session } = this.store.state;
    if (!session || first === last) return;
    clearTimeout(this.#rest);
    const isRunning = this.store.state.speed !== 0;
    const isPast = speed > 0 ? frame >= last : frame <= first;
    this.#from = isPast || frame < first || frame > last ? (speed > 0 ? first : last) : frame;
    this.#began = performance.now();
    this.store.set({ speed, frame: this.#from });
    if (!isRunning) requestAnimationFrame(() => this.#tick());
  }

  /** The clock says which frame it is; those that were not ready by then are not shown. */
  #tick() {
    const { speed, session, first, last } = this.store.state;
    if (!speed || !session) return;
    const count = last - first + 1;
    const gone = Math.floor((performance.now() - this.#began) / 1000 * rateOf(session.clip) * Math.abs(speed));
    const at = this.#from - first + Math.sign(speed) * gone;
    this.store.set({ frame: first + ((at % count) + count) % count });
    requestAnimationFrame(() => this.#tick());
  }
}
