// The session's stream of events: opened again whenever it is cut, and asked why when it is refused.

import { redeemCode, Refusal } from "./gateway.js";

const PAUSE_MS = 1000;

export class Watch {
  /** @type {EventSource | null} */
  #events = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {import("./gateway.js").Gateway} gateway
   * @param {import("./store.js").Store} store
   * @param {import("./receiver.js").Receiver} receiver
   * @param {() => void} onLive
   */
  constructor(gateway, store, receiver, onLive) {
    this.gateway = gateway;
    this.store = store;
    this.receiver = receiver;
    this.onLive = onLive;
  }

  /** Reads the session once, which tells why when it is refused, then watches it. */
  async open() {
    clearTimeout(this.#timer);
    this.#events?.close();
    this.#events = null;
    try {
      await redeemCode();
      const { session, tracks } = await this.gateway.ask("");
      this.#restart(session, tracks);
      this.#listen();
      this.store.set({ connection: "live", failure: "" });
      this.onLive();
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      this.#fail(refusal);
    }
  }

  /** @param {Refusal} refusal */
  #fail(refusal) {
    const connection = refusal.isLocked ? "locked" : refusal.isLost ? "lost" : "missing";
    this.store.set({ connection, failure: connection === "missing" ? refusal.message : "" });
    this.#again();
  }

  /** Looks again a little later, if nothing else does. */
  openSoon() {
    if (this.store.state.connection === "live") this.store.set({ connection: "lost" });
    this.#again();
  }

  #again() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.open(), PAUSE_MS);
  }

  /**
   * A server that was started again may count anew from an older state.
   * @param {import("./wire.d.ts").Session} session
   * @param {import("./wire.d.ts").Track[]} tracks
   */
  #restart(session, tracks) {
    const known = this.store.state.session;
    if (known && BigInt(known.revision) > BigInt(session.revision)) this.store.set({ session });
    else this.receiver.takeSession(session);
    for (const track of tracks) this.receiver.takeTrack({ ...track, replace: true });
  }

  #listen() {
    const events = new EventSource(`${this.gateway.base}/watch`);
    this.#events = events;
    /** @param {string} kind @param {(data: any) => void} take */
    const on = (kind, take) => events.addEventListener(kind, (event) => take(JSON.parse(event.data)));
    on("session", (session) => this.receiver.takeSession(session));
    on("track", (track) => this.receiver.takeTrack(track));
    on("job", (job) => this.receiver.takeJob(job));
    const isCut = () => {
      if (this.#events !== events) return;
      events.close();
      this.#events = null;
      this.store.set({ connection: "lost" });
      this.#again();
    };
    events.addEventListener("failure", isCut);
    events.addEventListener("error", isCut);
  }
}
