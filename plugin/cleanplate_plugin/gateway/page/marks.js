// What a person has pointed at: points and a box on each of some frames, and the outlines that answer them.

/** On one frame. */
export class FrameMarks {
  list = []; // points { x, y, inside } and one box { box }, in the order in which they were made
  outlines = []; // { png, overlay }, best first
  chosen = 0;

  get overlay() {
    return this.outlines[this.chosen]?.overlay ?? null;
  }

  /** As a Prompt of the proto; a choice other than the first travels as the mask itself. */
  prompt(frame) {
    const points = this.list.filter((mark) => !mark.box)
      .map(({ x, y, inside }) => ({ x, y, side: inside ? "SIDE_INSIDE" : "SIDE_OUTSIDE" }));
    const box = this.list.find((mark) => mark.box)?.box;
    const mask = this.chosen > 0 ? { png: this.outlines[this.chosen].png } : undefined;
    return { frame, object_id: 1, points, box, mask };
  }
}

/** On all frames, with the order in which they were made. */
export class Marks {
  #frames = new Map();
  #order = [];

  get isEmpty() {
    return this.#frames.size === 0;
  }

  /** Pairs of frame and marks, by frame. */
  get all() {
    return [...this.#frames.entries()].sort(([a], [b]) => a - b);
  }

  get prompts() {
    return this.all.map(([frame, marks]) => marks.prompt(frame));
  }

  on(frame) {
    return this.#frames.get(frame) ?? null;
  }

  add(frame, mark) {
    const here = this.on(frame) ?? new FrameMarks();
    if (mark.box) this.#forget(frame, here, (each) => each.box);
    here.list.push(mark);
    here.chosen = 0;
    this.#frames.set(frame, here);
    this.#order.push({ frame, mark });
  }

  /** Takes the last mark back and gives its frame; null when there is none. */
  undo() {
    const last = this.#order.at(-1);
    if (!last) return null;
    const here = this.on(last.frame);
    this.#forget(last.frame, here, (each) => each === last.mark);
    here.chosen = 0;
    if (!here.list.length) this.#frames.delete(last.frame);
    return last.frame;
  }

  clear(frame) {
    this.#frames.delete(frame);
    this.#order = this.#order.filter((each) => each.frame !== frame);
  }

  #forget(frame, here, isMeant) {
    here.list = here.list.filter((mark) => !isMeant(mark));
    this.#order = this.#order.filter((each) => each.frame !== frame || !isMeant(each.mark));
  }
}
