// Calls on the gateway.

import { words } from "./words.js";

/** The gateway has refused, or nobody answers. */
export class Refusal extends Error {
  constructor({ message, reason }, status) {
    super(message);
    this.reason = reason;
    this.status = status;
  }
}

/** Sends a request: GET without a body, POST with one. */
export async function call(path, body) {
  const headers = { "Content-Type": "application/json" };
  const options = body === undefined ? {} : { method: "POST", headers, body: JSON.stringify(body) };
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refusal({ message: words.gone, reason: "GONE" }, 0);
  }
  if (!response.ok) throw new Refusal((await response.json()).error, response.status);
  return response;
}

export async function askJson(path, body) {
  return (await call(path, body)).json();
}
