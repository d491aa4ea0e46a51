// Which pictures the page wants, now and next.

/**
 * @typedef {import("./wire.d.ts").State} State
 * @typedef {import("./pictures.js").Wish} Wish
 */

const AHEAD = 12; // frames while it plays
const BESIDE = [1, -1, 2, -2]; // frames while it rests

/** Modes that show what a take holds. */
export const JUDGING = ["after", "wipe", "difference"];

export class Wishes {
  /**
   * @param {State} state
   * @param {import("./gateway.js").Gateway} gateway
   * @param {import("./lens.js").Lens} lens
   */
  constructor(state, gateway, lens) {
    this.state = state;
    this.gateway = gateway;
    this.lens = lens;
  }

  /**
   * The plate.
   * @param {number} frame
   * @param {number} height
   * @returns {Wish}
   */
  plate(frame, height) {
    return { url: this.gateway.frame(frame, height), kind: "plain" };
  }

  /**
   * The chosen take's picture; null where it has none.
   * @param {number} frame
   * @param {number} height
   * @returns {Wish | null}
   */
  after(frame, height) {
    const take = chosenTake(this.state);
    if (!take || !holds(take, frame)) return null;
    return { url: this.gateway.taken(take.job, frame, height), kind: "plain" };
  }

  /**
   * Masks of all objects that are shown, with their colours.
   * @param {number} frame
   * @param {number} height
   * @returns {Wish[]}
   */
  masks(frame, height) {
    return (this.state.session?.objects ?? []).filter((each) => !each.hidden).flatMap(({ object_id: id, color }) => {
      const tracked = this.state.tracks.get(id)?.get(frame);
      if (!tracked) return [];
      const url = this.gateway.mask(id, frame, tracked.revision);
      return [{ url, kind: /** @type {const} */ ("tint"), color, height }];
    });
  }

  /**
   * What would be replaced, with the settings that are being tried.
   * @param {number} frame
   * @param {"plain" | "alpha"} kind
   * @returns {Wish | null}
   */
  matte(frame, kind) {
    const { session, sliding } = this.state;
    const mark = (session?.objects ?? []).filter((each) => !each.hidden)
      .map(({ object_id: id }) => this.state.tracks.get(id)?.get(frame)?.revision ?? "").join(".");
    if (!session || !/[0-9]/.test(mark)) return null;
    const shadows = session.run?.kind === "SHADOW" ? `s${session.run.state}${session.run.done_frame_count}` : "";
    return { url: this.gateway.matte(frame, sliding ?? session.settings, `${mark}${shadows}`), kind };
  }

  /**
   * Pixels that no frame shows; null until something has looked for them.
   * @param {number} frame
   * @returns {Wish | null}
   */
  unseen(frame) {
    const looked = this.state.session?.takes.find((each) => each.state === "SUCCEEDED" && holds(each, frame));
    return looked ? { url: this.gateway.unseen(frame, looked.job.split("/")[1]), kind: "alpha" } : null;
  }

  /**
   * How large pictures are fetched, 0 is full size; smaller ones differ where nothing was changed.
   * @param {boolean} isMoving
   */
  height(isMoving) {
    return this.state.mode === "difference" && !isMoving ? 0 : this.lens.heightFor(isMoving);
  }

  /**
   * What a frame needs to be shown whole in the present mode.
   * @param {number} frame
   * @param {number} height
   * @returns {Wish[]}
   */
  #whole(frame, height) {
    const { mode, sliding, unseen } = this.state;
    const needed = [
      mode === "matte" || mode === "after" ? null : this.plate(frame, height),
      JUDGING.includes(mode) ? this.after(frame, height) ?? this.plate(frame, height) : null,
      ...(mode === "mask" && !sliding ? this.masks(frame, height) : []),
      mode === "matte" ? this.matte(frame, "plain") : null,
      mode === "hole" || (mode === "mask" && sliding) ? this.matte(frame, "alpha") : null,
      unseen ? this.unseen(frame) : null,
    ];
    return needed.filter((each) => each !== null);
  }

  /** All that is wanted, most wanted first. */
  all() {
    const { frame, reelFirst, reelLast, speed } = this.state;
    const height = this.height(speed !== 0);
    const way = Math.sign(speed);
    const step = Math.max(1, Math.floor(Math.abs(speed))); // faster than life, frames between are never shown
    const near = way ? Array.from({ length: AHEAD }, (_, number) => (number + 1) * way * step) : BESIDE;
    const frames = near.map((each) => frame + each).filter((each) => each >= reelFirst && each <= reelLast);
    const quick = this.height(true);
    const now = this.#whole(frame, height);
    const preview = height === 0 ? [this.plate(frame, quick)] : []; // large pictures take their time
    const next = frames.flatMap((each) => this.#whole(each, way ? height : quick));
    return [...preview, ...now, ...next];
  }
}

/** @param {State} state */
export function chosenTake({ session, chosen }) {
  const done = (session?.takes ?? []).filter((each) => each.state === "SUCCEEDED");
  return done.find((each) => each.job === chosen) ?? done[0] ?? null;
}

/**
 * @param {import("./wire.d.ts").PickedTake} take
 * @param {number} frame
 */
export function holds({ range }, frame) {
  const first = Number(range.start_frame);
  return frame >= first && frame < first + Number(range.frame_count);
}
