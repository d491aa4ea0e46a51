// The range as a strip: what is known of each object on each frame, cuts, in and out, takes, and the playhead.

import { word } from "./language.js";
import { chosenTake } from "./wishes.js";
import { timecodeOf } from "./timecode.js";

/** @typedef {import("./wire.d.ts").TrackedFrame} TrackedFrame */

const RULER_PX = 16;
const PAD_PX = 8;
const LEAST_TICK_PX = 56;
const TICKS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000];

export class Strip {
  #isAsked = false;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./store.js").Store} store
   * @param {import("./player.js").Player} player
   */
  constructor(canvas, store, player) {
    this.canvas = canvas;
    this.store = store;
    this.player = player;
    this.pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#scrub(event);
    });
    canvas.addEventListener("pointermove", (event) => { if (event.buttons & 1) this.#scrub(event); });
    new ResizeObserver(() => this.ask()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.ask());
    store.watch(["session", "tracks", "frame", "first", "last", "reelFirst", "reelLast", "chosen", "language"], () => this.ask());
  }

  ask() {
    if (this.#isAsked) return;
    this.#isAsked = true;
    requestAnimationFrame(() => {
      this.#isAsked = false;
      this.draw();
    });
  }

  get #reel() {
    const { reelFirst: first, reelLast } = this.store.state;
    return { first, count: reelLast - first + 1 };
  }

  get #step() {
    return (this.canvas.clientWidth - 2 * PAD_PX) / this.#reel.count;
  }

  /** @param {number} frame its left edge, in CSS pixels */
  #x(frame) {
    return PAD_PX + (frame - this.#reel.first) * this.#step;
  }

  /** @param {PointerEvent} event */
  #scrub(event) {
    if (!this.store.state.session) return;
    const x = event.clientX - this.canvas.getBoundingClientRect().left - PAD_PX;
    this.player.goTo(this.#reel.first + Math.floor(x / this.#step));
  }

  draw() {
    const { canvas, pen } = this;
    const { session } = this.store.state;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    Object.assign(canvas, { width: Math.round(width * devicePixelRatio), height: Math.round(height * devicePixelRatio) });
    if (!session || !width) return;
    pen.scale(devicePixelRatio, devicePixelRatio);
    pen.font = "11px system-ui, sans-serif";
    this.#tell();
    this.#drawRuler();
    this.#drawTracks(height);
    this.#drawCuts(height);
    this.#drawTake(height);
    this.#drawBounds(height);
    this.#drawPlayhead(height);
  }

  /** For who cannot see it. */
  #tell() {
    const { session, frame, object, tracks } = this.store.state;
    if (!session) return;
    const { first, count } = this.#reel;
    const tracked = tracks.get(object)?.get(frame);
    const state = tracked ? word(`state${tracked.state}`, Math.round(tracked.confidence * 100)) : word("stateNONE");
    const values = { valuemin: first, valuemax: first + count - 1, valuenow: frame,
      valuetext: `${word("frameAt", frame, timecodeOf(session.clip, frame))}, ${state}` };
    for (const [name, value] of Object.entries(values)) this.canvas.setAttribute(`aria-${name}`, String(value));
  }

  #drawRuler() {
    const { pen } = this;
    const { first, count } = this.#reel;
    const each = TICKS.find((tick) => tick * this.#step >= LEAST_TICK_PX) ?? count;
    pen.fillStyle = this.#color("--quiet");
    for (let frame = Math.ceil(first / each) * each; frame < first + count; frame += each) {
      pen.fillRect(this.#x(frame), RULER_PX - 5, 1, 5);
      pen.fillText(String(frame), this.#x(frame) + 3, RULER_PX - 5);
    }
  }

  /** @param {number} height */
  #drawTracks(height) {
    const { session, tracks, object } = this.store.state;
    const objects = session?.objects ?? [];
    const ids = objects.some((each) => each.object_id === object) ? objects : [...objects, { object_id: object, color: "#8a8f98", hidden: false }];
    const row = Math.min(34, (height - RULER_PX - 8) / ids.length);
    ids.forEach(({ object_id: id, color, hidden }, number) => {
      const top = RULER_PX + 3 + number * row;
      this.pen.fillStyle = this.#color(id === object ? "--lane-on" : "--lane");
      this.pen.fillRect(PAD_PX, top, this.#step * this.#reel.count, row - 2);
      this.pen.globalAlpha = hidden ? 0.35 : 1;
      for (const frame of tracks.get(id)?.values() ?? []) this.#drawFrame(frame, { color, top, height: row - 2 });
      this.pen.globalAlpha = 1;
    });
  }

  /**
   * Its height is the confidence; a key is a diamond, stale is hatched, half followed is half as dense.
   * @param {TrackedFrame} tracked
   * @param {{ color: string, top: number, height: number }} lane
   */
  #drawFrame(tracked, { color, top, height }) {
    const { pen } = this;
    const left = this.#x(Number(tracked.frame));
    const wide = Math.max(1, this.#step - (this.#step > 4 ? 1 : 0));
    const tall = Math.max(2, height * (0.2 + 0.8 * tracked.confidence));
    const before = pen.globalAlpha;
    pen.fillStyle = color;
    if (tracked.state === "STALE") {
      pen.globalAlpha = before * 0.28;
      pen.fillRect(left, top, Math.max(wide, this.#step), height);
      pen.globalAlpha = before;
      pen.fillStyle = this.#color("--warn");
      pen.fillRect(left, top + height - 3, Math.max(1, this.#step), 3);
    } else {
      pen.globalAlpha = before * (tracked.state === "HALF" ? 0.4 : 0.75);
      pen.fillRect(left, top + height - tall, wide, tall);
    }
    pen.globalAlpha = before;
    if (tracked.state === "KEY") this.#drawKey(left + this.#step / 2, top + height / 2, Math.min(6, height / 2 - 1));
  }

  /** @param {number} x @param {number} y @param {number} radius */
  #drawKey(x, y, radius) {
    const { pen } = this;
    pen.beginPath();
    for (const [dx, dy] of [[0, -1], [1, 0], [0, 1], [-1, 0]]) pen.lineTo(x + dx * radius, y + dy * radius);
    pen.closePath();
    pen.fillStyle = "#fff";
    pen.fill();
    pen.strokeStyle = "#000c";
    pen.lineWidth = 1.2;
    pen.stroke();
  }

  /** @param {number} height */
  #drawCuts(height) {
    this.pen.fillStyle = this.#color("--ink");
    for (const cut of this.store.state.session?.cuts ?? []) {
      const x = this.#x(Number(cut));
      for (let y = RULER_PX; y < height; y += 6) this.pen.fillRect(x - 0.5, y, 1, 3);
    }
  }

  /** @param {number} height */
  #drawTake(height) {
    const take = chosenTake(this.store.state);
    if (!take) return;
    const [first, count] = [Number(take.range.start_frame), Number(take.range.frame_count)];
    this.pen.fillStyle = this.#color("--good");
    this.pen.fillRect(this.#x(first), height - 3, Math.max(3, count * this.#step), 3);
  }

  /** @param {number} height */
  #drawBounds(height) {
    const { first, last } = this.store.state;
    const { pen } = this;
    const reel = this.#reel;
    pen.fillStyle = this.#color("--shade");
    pen.fillRect(this.#x(reel.first), 0, this.#x(first) - this.#x(reel.first), height);
    pen.fillRect(this.#x(last + 1), 0, this.#x(reel.first + reel.count) - this.#x(last + 1), height);
    pen.fillStyle = this.#color("--ink");
    for (const [at, way] of [[this.#x(first), 1], [this.#x(last + 1), -1]]) {
      pen.fillRect(at - (way > 0 ? 0 : 1.5), 0, 1.5, RULER_PX);
      pen.fillRect(at - (way > 0 ? 0 : 5), 0, 5, 1.5);
    }
  }

  /** @param {number} height */
  #drawPlayhead(height) {
    const { pen } = this;
    const middle = this.#x(this.store.state.frame) + this.#step / 2;
    pen.fillStyle = this.#color("--accent");
    pen.fillRect(middle - 1, 4, 2, height);
    pen.beginPath();
    pen.moveTo(middle - 6, 0);
    pen.lineTo(middle + 6, 0);
    pen.lineTo(middle, 9);
    pen.fill();
  }

  /** @param {string} name of a colour in the style sheet */
  #color(name) {
    return getComputedStyle(this.canvas).getPropertyValue(name);
  }
}
