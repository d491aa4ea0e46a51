// Changes on their way to the server: in order, one at a time, kept until they have arrived.

import { Refusal } from "./gateway.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 4000;

/**
 * @typedef {import("./wire.d.ts").Session} Session
 *
 * @typedef {object} Change
 * @property {string} key a newer change of the same key replaces one that has not been sent
 * @property {string} verb
 * @property {() => object} body made when it is sent
 * @property {(answer: any, isLast: boolean) => void} [onAnswer] told whether no newer change of the same key waits
 * @property {(refusal: Refusal) => void} [onRefusal]
 * @property {(session: Session) => Session} [shown] a session as it is once this has arrived
 */

export class Outbox {
  /** @type {Change[]} */
  #changes = [];
  #isSending = false;
  #pause = FIRST_PAUSE_MS;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {import("./gateway.js").Gateway} gateway
   * @param {{ onCount: (count: number) => void, onTrouble: (refusal: Refusal) => void }} listener
   */
  constructor(gateway, listener) {
    this.gateway = gateway;
    this.listener = listener;
  }

  /** @param {Change} change */
  put(change) {
    const old = this.#changes.findIndex((each, place) => each.key === change.key && !(place === 0 && this.#isSending));
    if (old >= 0) this.#changes.splice(old, 1);
    this.#changes.push(change);
    this.listener.onCount(this.#changes.length);
    this.#send();
  }

  /** Tries at once what could not be sent. */
  retry() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#send();
  }

  /** @param {string} key */
  has(key) {
    return this.#changes.some((each) => each.key === key);
  }

  /**
   * A session as it is once everything has arrived.
   * @param {Session} session
   */
  shown(session) {
    return this.#changes.reduce((before, { shown }) => shown?.(before) ?? before, session);
  }

  async #send() {
    const change = this.#changes[0];
    if (this.#isSending || this.#timer !== undefined || !change) return;
    this.#isSending = true;
    try {
      const answer = await this.gateway.ask(change.verb, change.body());
      this.#finish();
      change.onAnswer?.(answer, !this.has(change.key));
    } catch (refusal) {
      this.#isSending = false;
      if (!(refusal instanceof Refusal)) throw refusal;
      if (refusal.isLost || refusal.isLocked) this.#wait(change, refusal);
      else this.#drop(change, refusal);
    }
    this.#send();
  }

  #finish() {
    this.#isSending = false;
    this.#changes.shift();
    this.#pause = FIRST_PAUSE_MS;
    this.listener.onCount(this.#changes.length);
  }

  /**
   * @param {Change} change
   * @param {Refusal} refusal
   */
  #drop(change, refusal) {
    this.#finish();
    if (!this.has(change.key)) change.onRefusal?.(refusal);
  }

  /**
   * One that was replaced while it was on its way is not sent again.
   * @param {Change} change
   * @param {Refusal} refusal
   */
  #wait(change, refusal) {
    if (this.#changes.some((each) => each !== change && each.key === change.key)) this.#changes.shift();
    this.listener.onCount(this.#changes.length);
    this.listener.onTrouble(refusal);
    this.#timer = setTimeout(() => this.retry(), this.#pause);
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE_MS);
  }
}
