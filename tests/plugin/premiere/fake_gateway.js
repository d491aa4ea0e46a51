/** The gateway as the panel meets it: HTTP on the loopback, a token, shots that go their way. */

import { createServer } from "node:http";

/** @import { Connection, Facts, Shot } from "../../../plugin/premiere/js/types.d.ts" */
/** @import { IncomingMessage, Server, ServerResponse } from "node:http" */

/** @typedef {{ method: string, path: string, body: any }} Call */

export class FakeGateway {
  /** @type {Call[]} */
  calls = [];
  /** States that a shot passes, one for each look. @type {Partial<Shot>[]} */
  way = [{ state: "WAITING" }];
  /** @type {Map<string, { facts: Facts, shot: Shot, looks: number }>} */
  shots = new Map();
  token = "secret-1";
  port = 0;
  /** Requests that are cut off before an answer. */
  stalls = 0;
  /** What happens when a shot is looked at. @type {((looks: number) => void) | null} */
  onLook = null;
  /** @type {Server | null} */
  server = null;

  async start() {
    const server = createServer((request, response) => void this.answer(request, response));
    await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
    const address = server.address();
    this.port = address && typeof address === "object" ? address.port : 0;
    this.server = server;
  }

  async stop() {
    const server = this.server;
    this.server = null;
    server?.closeAllConnections();
    await new Promise((resolve) => (server ? server.close(() => resolve(null)) : resolve(null)));
  }

  /** @returns {Connection} */
  get connection() {
    return { address: `127.0.0.1:${this.port}`, token: this.token };
  }

  /** @param {string} state */
  reported(state) {
    return this.calls.filter((call) => call.path.endsWith("/report") && call.body.state === state);
  }

  /**
   * @param {IncomingMessage} request
   * @param {ServerResponse} response
   */
  async answer(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    if (this.stalls > 0) {
      this.stalls--;
      request.socket.destroy();
      return;
    }
    const body = chunks.length ? JSON.parse(Buffer.concat(chunks).toString()) : null;
    const [method, path] = [request.method ?? "", request.url ?? ""];
    this.calls.push({ method, path, body });
    const isKnown = request.headers.authorization === `Bearer ${this.token}`;
    const [status, answer] = isKnown ? this.route(method, path, body) : refusal(401, "WRONG_TOKEN", "the token is wrong");
    response.writeHead(status, { "Content-Type": "application/json" });
    response.end(JSON.stringify(answer));
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {any} body
   * @returns {[number, object]}
   */
  route(method, path, body) {
    if (method === "POST" && path === "/v1/shots") return this.announce(body.premiere);
    const [, name, verb] = /^\/v1\/(shots\/\w+)\/?(\w*)$/.exec(path) ?? [];
    const found = this.shots.get(name);
    if (!found) return refusal(404, "NO_SHOT", `there is no shot '${name}'`);
    if (method === "GET") return [200, this.look(found)];
    if (verb === "report") return [200, Object.assign(found.shot, { state: body.state, message: body.message })];
    const same = JSON.stringify(body.premiere.item) === JSON.stringify(found.facts.item);
    return same ? [200, found.shot] : refusal(409, "STALE_CLIP", "clip was edited after Cleanplate had looked at it");
  }

  /**
   * @param {Facts} facts
   * @returns {[number, object]}
   */
  announce(facts) {
    if (!facts.item) return refusal(409, "UNSUPPORTED_CLIP", "nothing stands under the playhead in sequence 'Edit'");
    const name = `shots/s${this.shots.size + 1}`;
    /** @type {Shot} */
    const shot = { name, clip_name: facts.item.name, page: `/${name}#code`, state: "WAITING", message: "" };
    this.shots.set(name, { facts, shot, looks: 0 });
    return [200, shot];
  }

  /** @param {{ facts: Facts, shot: Shot, looks: number }} found */
  look(found) {
    this.onLook?.(found.looks);
    const step = this.way[Math.min(found.looks++, this.way.length - 1)];
    return Object.assign(found.shot, step);
  }
}

/**
 * @param {number} status
 * @param {string} reason
 * @param {string} message
 * @returns {[number, object]}
 */
function refusal(status, reason, message) {
  return [status, { error: { code: "FAILED_PRECONDITION", reason, message } }];
}
