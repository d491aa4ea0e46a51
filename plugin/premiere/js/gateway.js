/** Calls on the gateway: JSON over the loopback, with the token of the server that runs now. */

import { PanelError } from "./messages.js";

/** @import { Connection, Facts, Shot } from "./types.d.ts" */

/**
 * What the gateway needs from outside.
 * @typedef {object} GatewayParts
 * @property {() => Promise<Connection>} connect reads address and token, anew each time it is asked
 * @property {typeof fetch} fetch
 * @property {(milliseconds: number) => Promise<void>} wait
 */

/** Waits between tries: the first request of a panel was seen to stall for ten seconds, and a server may be starting. */
const PAUSES_MILLISECONDS = [250, 500, 1000, 2000, 4000];
/** Longest wait for one answer. Opening media on a slow disk takes a while. */
const CALL_MILLISECONDS = 60000;

/** The gateway answered, and refused. */
export class RefusedError extends PanelError {
  /**
   * @param {number} status
   * @param {string} reason
   * @param {string} sentence
   */
  constructor(status, reason, sentence) {
    super("said", { text: sentence });
    this.status = status;
    this.reason = reason;
  }
}

export class Gateway {
  /** @param {GatewayParts} parts */
  constructor(parts) {
    this.parts = parts;
  }

  /**
   * Tells what stands under the playhead.
   * @param {Facts} facts
   * @returns {Promise<Shot>}
   */
  async announce(facts) {
    return this.#call("POST", "/v1/shots", { premiere: facts });
  }

  /**
   * Where a shot stands.
   * @param {string} name `shots/ID`
   * @returns {Promise<Shot>}
   */
  async shot(name) {
    return this.#call("GET", `/v1/${name}`);
  }

  /**
   * Asks whether a clip is still what it was.
   * @param {string} name `shots/ID`
   * @param {Facts} facts as they are now
   * @returns {Promise<Shot>}
   */
  async check(name, facts) {
    return this.#call("POST", `/v1/${name}/check`, { name, premiere: facts });
  }

  /**
   * Says what became of a shot.
   * @param {string} name `shots/ID`
   * @param {"PLACED" | "FAILED" | "CANCELLED"} state
   * @param {string} message one sentence
   * @returns {Promise<Shot>}
   */
  async report(name, state, message) {
    return this.#call("POST", `/v1/${name}/report`, { name, state, message });
  }

  /**
   * A page of the gateway as an address for the browser.
   * @param {string} path as the shot gives it
   */
  async pageAddress(path) {
    const { address } = await this.parts.connect();
    return `http://${address}${path.startsWith("/") ? "" : "/"}${path}`;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<Shot>}
   */
  async #call(method, path, body) {
    let response = await this.#try(method, path, body);
    for (const pause of PAUSES_MILLISECONDS) {
      if (response) break;
      await this.parts.wait(pause);
      response = await this.#try(method, path, body);
    }
    if (!response) throw new PanelError("noServer");
    const text = await response.text();
    if (response.ok) return JSON.parse(text);
    throw refusalOf(response.status, text);
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<Response | null>} null when nobody answered
   */
  async #try(method, path, body) {
    // Read each time: a server that was started again has another token, and perhaps another port.
    const { address, token } = await this.parts.connect();
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), CALL_MILLISECONDS);
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    try {
      const request = { method, headers, signal: abort.signal, ...(body ? { body: JSON.stringify(body) } : {}) };
      return await this.parts.fetch(`http://${address}${path}`, request);
    } catch {
      return null; // Nobody listens yet or any more; the caller tries again and then says so.
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * @param {number} status
 * @param {string} text
 */
function refusalOf(status, text) {
  try {
    const { reason, message } = JSON.parse(text).error;
    return new RefusedError(status, String(reason), String(message));
  } catch {
    return new RefusedError(status, "", `the gateway answered ${status} and nothing that can be read; see its log`);
  }
}
