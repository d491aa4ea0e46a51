// What a person changes in the session, each with its opposite: shown at once, sent by the outbox.

import { newObject } from "./receiver.js";
import { bodyOf, isNothing, NOTHING, promptedAt, promptKey, saidAt, saidOf } from "./said.js";

/**
 * @typedef {import("./wire.d.ts").Said} Said
 * @typedef {import("./wire.d.ts").Session} Session
 * @typedef {import("./wire.d.ts").PickedObject} PickedObject
 * @typedef {import("./wire.d.ts").TakeSettings} TakeSettings
 * @typedef {import("./wire.d.ts").PromptAnswer} PromptAnswer
 * @typedef {import("./outbox.js").Change} Change
 */

export class Deeds {
  /**
   * @param {import("./store.js").Store} store
   * @param {import("./history.js").History} history
   * @param {import("./outbox.js").Outbox} outbox
   * @param {Pick<import("./receiver.js").Receiver, "takeSession" | "show" | "takeAnswer" | "takePrompted">} receiver
   */
  constructor(store, history, outbox, receiver) {
    this.store = store;
    this.history = history;
    this.outbox = outbox;
    this.receiver = receiver;
  }

  /**
   * Says something else of the chosen object on the frame that is shown.
   * @param {(said: Said) => Said} change
   * @param {string} word
   */
  say(change, word) {
    const { object, frame } = this.store.state;
    const before = saidAt(this.store.state, object, frame);
    const next = change(before);
    this.history.do({
      word,
      redo: () => this.#put(object, frame, next),
      undo: () => this.#put(object, frame, before),
    });
  }

  /**
   * Forgets all that was said of an object on a frame, and with it the key.
   * @param {number} object
   * @param {number} frame
   */
  clear(object, frame) {
    const before = saidAt(this.store.state, object, frame);
    if (isNothing(before)) return;
    this.history.do({
      word: "clear",
      redo: () => this.#put(object, frame, NOTHING),
      undo: () => this.#put(object, frame, before),
    });
  }

  /**
   * Says again what was refused or lost.
   * @param {number} object
   * @param {number} frame
   */
  sayAgain(object, frame) {
    this.#put(object, frame, saidAt(this.store.state, object, frame));
  }

  /**
   * Takes another of the answers.
   * @param {number} chosen
   */
  choose(chosen) {
    const { object, frame } = this.store.state;
    const before = promptedAt(this.store.state, object, frame)?.chosen ?? 0;
    this.history.do({
      word: "choose",
      redo: () => this.#choose(object, frame, chosen),
      undo: () => this.#choose(object, frame, before),
    });
  }

  /**
   * @param {PickedObject} object
   * @param {{ name?: string, color?: string, hidden?: boolean }} change
   */
  changeObject({ object_id, name, color, hidden }, change) {
    const before = { object_id, name, color, hidden };
    this.history.do({
      word: "object",
      merge: `object ${object_id} ${Object.keys(change)}`,
      redo: () => this.#putObject({ ...before, ...change }),
      undo: () => this.#putObject(before),
    });
  }

  /** @param {PickedObject} object */
  deleteObject(object) {
    const { object_id, name, color, hidden, prompts } = object;
    this.history.do({
      word: "deleted",
      redo: () => this.#deleteObject(object_id),
      undo: () => {
        this.#putObject({ object_id, name, color, hidden });
        for (const prompted of prompts) this.#put(object_id, Number(prompted.prompt.frame), saidOf(prompted));
      },
    });
  }

  /** @param {Partial<TakeSettings>} change */
  changeSettings(change) {
    const before = this.store.state.session?.settings;
    if (!before) return;
    const next = { ...before, ...change };
    this.history.do({
      word: "setting",
      merge: `settings ${Object.keys(change)}`,
      redo: () => this.#putSettings(next),
      undo: () => this.#putSettings(before),
    });
  }

  /**
   * Works on other frames of the media.
   * @param {number} first
   * @param {number} last it is worked on too
   */
  setRange(first, last) {
    const { first: firstBefore, last: lastBefore } = this.store.state;
    this.history.do({
      word: "range",
      redo: () => this.#putRange(first, last),
      undo: () => this.#putRange(firstBefore, lastBefore),
    });
  }

  /** @param {number} first @param {number} last */
  #putRange(first, last) {
    const bounds = { start_frame: String(first), frame_count: String(last - first + 1) };
    this.#change({
      key: "range", verb: "range", body: () => ({ range: { handle_frame_count: 0, ...this.store.state.session?.range, ...bounds } }),
      shown: (session) => ({ ...session, range: { ...session.range, ...bounds } }),
    });
  }

  /**
   * @param {number} object
   * @param {number} frame
   * @param {Said} said
   */
  #put(object, frame, said) {
    const { store } = this;
    const key = promptKey(object, frame);
    store.state.drafts.set(key, { said, problem: "" });
    store.touch("drafts");
    store.set({ failure: "", status: isNothing(said) ? "cleared" : "looking" });
    const settle = () => { store.state.drafts.delete(key); store.touch("drafts"); };
    /** @param {import("./gateway.js").Refusal} refusal */
    const onRefusal = (refusal) => {
      store.state.drafts.set(key, { said, problem: refusal.message });
      store.touch("drafts");
      store.set({ failure: refusal.message, status: "kept" });
    };
    if (isNothing(said)) {
      const body = () => ({ object_id: object, frame: String(frame) });
      const onAnswer = (/** @type {{ session: Session }} */ { session }, /** @type {boolean} */ isLast) => {
        if (isLast) settle();
        this.receiver.takeSession(session);
      };
      this.outbox.put({ key, verb: "clear", body, onAnswer, onRefusal });
      return;
    }
    const body = () => bodyOf(object, frame, said, promptedAt(store.state, object, frame)?.has_base ?? false);
    const onAnswer = (/** @type {PromptAnswer} */ answer, /** @type {boolean} */ isLast) => {
      if (isLast) settle();
      if (isLast) store.set({ status: "found" });
      this.receiver.takeAnswer(object, frame, answer);
    };
    this.outbox.put({ key, verb: "prompt", body, onAnswer, onRefusal });
  }

  /**
   * @param {number} object
   * @param {number} frame
   * @param {number} chosen
   */
  #choose(object, frame, chosen) {
    this.outbox.put({
      key: `choose ${object} ${frame}`, verb: "choose",
      body: () => ({ object_id: object, frame: String(frame), chosen }),
      onAnswer: ({ prompted }) => this.receiver.takePrompted(object, prompted),
      onRefusal: (refusal) => this.store.set({ failure: refusal.message }),
    });
  }

  /** @param {{ object_id: number, name: string, color: string, hidden: boolean }} object */
  #putObject(object) {
    const isIt = (/** @type {PickedObject} */ each) => each.object_id === object.object_id;
    this.#change({
      key: `object ${object.object_id}`, verb: "object", body: () => ({ object }),
      shown: (session) => {
        const known = session.objects.some(isIt) ? session.objects : [...session.objects, newObject(object.object_id)];
        return { ...session, objects: known.map((each) => isIt(each) ? { ...each, ...object } : each) };
      },
    });
  }

  /** @param {number} id */
  #deleteObject(id) {
    this.#change({
      key: `object ${id}`, verb: "delete-object", body: () => ({ object_id: id }),
      shown: (session) => ({ ...session, objects: session.objects.filter((each) => each.object_id !== id) }),
    });
  }

  /** @param {TakeSettings} settings */
  #putSettings(settings) {
    this.#change({
      key: "settings", verb: "settings", body: () => ({ settings }),
      shown: (session) => ({ ...session, settings }),
    });
  }

  /**
   * Shown at once; one that is refused is shown no longer.
   * @param {Pick<Change, "key" | "verb" | "body" | "shown">} change
   */
  #change(change) {
    this.outbox.put({
      ...change,
      onAnswer: ({ session }) => this.receiver.takeSession(session),
      onRefusal: (refusal) => {
        this.store.set({ failure: refusal.message });
        this.receiver.show();
      },
    });
    this.receiver.show();
  }
}
