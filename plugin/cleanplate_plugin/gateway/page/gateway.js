// Calls on the gateway.

/** The gateway has refused, or nobody answers (status 0). */
export class Refusal extends Error {
  /**
   * @param {{ message: string, reason: string }} error
   * @param {number} status
   */
  constructor({ message, reason }, status) {
    super(message);
    this.reason = reason;
    this.status = status;
  }

  /** Nobody was there: the same may work later. */
  get isLost() {
    return this.status === 0 || this.status === 503;
  }

  /** The cookie or the code is not known. */
  get isLocked() {
    return this.status === 401;
  }
}

/**
 * Sends a request: GET without a body, POST with one.
 * @param {string} path
 * @param {{ body?: object, signal?: AbortSignal }} [options]
 */
export async function call(path, { body, signal } = {}) {
  const headers = { "Content-Type": "application/json" };
  const said = body === undefined ? {} : { method: "POST", headers, body: JSON.stringify(body) };
  let response;
  try {
    response = await fetch(path, { ...said, signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refusal({ message: "", reason: "GONE" }, 0);
  }
  if (response.ok) return response;
  throw new Refusal(await errorOf(response), response.status);
}

/**
 * @param {Response} response
 * @returns {Promise<{ message: string, reason: string }>}
 */
async function errorOf(response) {
  const text = await response.text();
  try {
    return JSON.parse(text).error;
  } catch {
    return { message: `${response.status} ${response.statusText}`, reason: "NOT_OURS" }; // something else listens there
  }
}

/** One session's endpoints. */
export class Gateway {
  /** @param {string} id */
  constructor(id) {
    this.base = `/v1/sessions/${id}`;
  }

  /**
   * @param {string} verb
   * @param {object} [body] without one it is read, not changed
   */
  async ask(verb, body) {
    return (await call(verb ? `${this.base}/${verb}` : this.base, { body })).json();
  }

  /**
   * @param {number} frame
   * @param {number} height 0 is full size
   */
  frame(frame, height) {
    return `${this.base}/frames/${frame}?max_height=${height}&encoding=${height ? "jpeg" : "png"}`;
  }

  /**
   * @param {number} object
   * @param {number} frame
   * @param {string} revision
   */
  mask(object, frame, revision) {
    return `${this.base}/masks/${object}/${frame}?revision=${revision}`;
  }

  /**
   * @param {number} frame
   * @param {import("./wire.d.ts").TakeSettings} settings
   * @param {string} mark changes whenever a mask on the frame does
   */
  matte(frame, settings, mark) {
    const { grow_px: grow, feather_px: feather, with_shadow: shadow } = settings;
    const given = [["grow_px", grow], ["feather_px", feather], ["with_shadow", shadow ? 1 : 0]]
      .filter(([, value]) => value !== undefined).map(([name, value]) => `${name}=${value}`);
    return `${this.base}/matte/${frame}?${given.join("&")}&of=${mark}`;
  }

  /**
   * @param {string} job `jobs/ID`
   * @param {number} frame
   * @param {number} height
   */
  taken(job, frame, height) {
    const id = job.split("/")[1];
    return `${this.base}/takes/${id}/frames/${frame}?max_height=${height}&encoding=${height ? "jpeg" : "png"}`;
  }

  /**
   * @param {number} frame
   * @param {string} mark changes with the take that found it
   */
  unseen(frame, mark) {
    return `${this.base}/unseen/${frame}?of=${mark}`;
  }
}

/** Gives a link's code, which is good once, for a cookie; a page that is loaded again has the cookie already. */
export async function redeemCode() {
  const code = location.hash.slice(1);
  if (!code) return;
  history.replaceState(null, "", location.pathname);
  try {
    await call("/v1/session", { body: { code } });
  } catch (refusal) {
    if (!(refusal instanceof Refusal && refusal.isLocked)) throw refusal; // the cookie may do
  }
}
