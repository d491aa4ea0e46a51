// What comes from the server, into the store: the session, tracks, jobs, and answers to prompts.

import { promptKey } from "./said.js";

/**
 * @typedef {import("./wire.d.ts").Session} Session
 * @typedef {import("./wire.d.ts").Run} Run
 * @typedef {import("./wire.d.ts").Track} Track
 * @typedef {import("./wire.d.ts").Job} Job
 * @typedef {import("./wire.d.ts").PromptAnswer} PromptAnswer
 * @typedef {import("./wire.d.ts").PromptedFrame} PromptedFrame
 */

export class Receiver {
  /**
   * The session as the server last told it.
   * @type {Session | null}
   */
  #told = null;

  /**
   * @param {import("./store.js").Store} store
   * @param {(told: Session) => Session} withChanges a session with what waits to be said of it
   * @param {(object: number, frame: number, answer: PromptAnswer) => Promise<void>} keepMasks
   */
  constructor(store, withChanges, keepMasks) {
    this.store = store;
    this.withChanges = withChanges;
    this.keepMasks = keepMasks;
  }

  /** @param {Session} session */
  takeSession(session) {
    const old = this.#told;
    if (!old || BigInt(session.revision) >= BigInt(old.revision)) this.#told = session;
    this.show();
    this.#tellRun(old?.run, this.#told?.run);
  }

  /** Puts the session into the store as it stands once all has arrived that a person has changed. */
  show() {
    if (!this.#told) return;
    const { state } = this.store;
    const old = state.session;
    const session = this.withChanges(this.#told);
    const { start_frame: start, frame_count: count } = session.range;
    if (!old || start !== old.range.start_frame || count !== old.range.frame_count) this.#setRange(session, !old);
    this.store.set({ session });
    const ids = session.objects.map((each) => each.object_id);
    if (old && !ids.includes(state.object) && old.objects.some((each) => each.object_id === state.object)) {
      this.store.set({ object: ids[0] ?? 1 }); // it was deleted
    }
    const told = this.#told.objects.map((each) => each.object_id);
    for (const id of state.tracks.keys()) if (!told.includes(id)) this.#forget(id);
  }

  /** @param {Track} track */
  takeTrack({ object_id: id, replace, frames }) {
    const { tracks } = this.store.state;
    const kept = (replace ? null : tracks.get(id)) ?? new Map();
    for (const each of frames) {
      if (each.state === "NONE") kept.delete(Number(each.frame));
      else kept.set(Number(each.frame), each);
    }
    tracks.set(id, kept);
    this.store.touch("tracks");
  }

  /**
   * A job as it was submitted, which events may have overtaken.
   * @param {Job} job
   */
  takeNewJob(job) {
    if (!this.store.state.jobs.has(job.name)) this.takeJob(job);
  }

  /** @param {Job} job */
  takeJob(job) {
    const { jobs } = this.store.state;
    const before = jobs.get(job.name)?.state;
    jobs.set(job.name, job);
    this.store.touch("jobs");
    if (before && before !== job.state) this.store.set({ status: `job${job.state}` });
  }

  /**
   * @param {number} object
   * @param {number} frame
   * @param {PromptAnswer} answer
   */
  async takeAnswer(object, frame, answer) {
    await this.keepMasks(object, frame, answer); // so that the mask is there when its revision is
    this.takePrompted(object, answer.prompted);
  }

  /**
   * @param {number} object
   * @param {PromptedFrame} prompted
   */
  takePrompted(object, prompted) {
    const session = this.#told;
    if (!session) return;
    const { frame } = prompted.prompt;
    const known = session.objects.some((each) => each.object_id === object);
    const objects = known ? session.objects : [...session.objects, newObject(object)];
    const changed = objects.map((each) => {
      if (each.object_id !== object) return each;
      const others = each.prompts.filter(({ prompt, revision }) =>
        prompt.frame !== frame || BigInt(revision) > BigInt(prompted.revision));
      return { ...each, prompts: others.some(({ prompt }) => prompt.frame === frame) ? others : [...others, prompted] };
    });
    this.#told = { ...session, objects: changed };
    this.show();
    const now = this.store.state.tracks.get(object)?.get(Number(frame));
    if (now && BigInt(now.revision) > BigInt(prompted.revision)) return;
    this.takeTrack({ object_id: object, replace: false, frames: [{ frame, state: "KEY", confidence: 1, revision: prompted.revision }] });
  }

  /**
   * The strip goes on to show what was in the range before.
   * @param {Session} session
   * @param {boolean} isFirst
   */
  #setRange(session, isFirst) {
    const { first, last } = boundsOf(session);
    const { reelFirst, reelLast } = this.store.state;
    if (isFirst) {
      const frame = Math.min(Math.max(Number(session.prompt_frame), first), last);
      this.store.set({ first, last, reelFirst: first, reelLast: last, frame, object: session.objects[0]?.object_id ?? 1 });
    } else this.store.set({ first, last, reelFirst: Math.min(first, reelFirst), reelLast: Math.max(last, reelLast) });
  }

  /**
   * Says that a run has begun or ended; one that had ended when the page came is old news.
   * @param {Run | undefined} before
   * @param {Run | undefined} now
   */
  #tellRun(before, now) {
    if (!now || now.state === before?.state || (!before && now.state !== "RUNNING")) return;
    const verb = now.kind === "SHADOW" ? "shadows" : "run";
    this.store.set({ status: `${verb}${now.state}`, failure: now.state === "FAILED" ? now.message : "" });
  }

  /** @param {number} object */
  #forget(object) {
    const { tracks, drafts } = this.store.state;
    const waits = [...drafts.keys()].some((key) => key.startsWith(promptKey(object, 0).slice(0, -1)));
    if (!waits) tracks.delete(object);
    this.store.touch("tracks");
  }
}

/**
 * First and last frame of a session's range.
 * @param {Session} session
 */
function boundsOf({ range }) {
  const first = Number(range.start_frame);
  return { first, last: first + Number(range.frame_count) - 1 };
}

/**
 * As an object stands until the server has named and coloured it.
 * @param {number} object_id
 */
export function newObject(object_id) {
  return { object_id, name: "", color: "#8a8f98", hidden: false, prompts: [] };
}
