/** A shot from the playhead to the clean clip: announced, prompted, cleaned, checked, placed, reported. */

import { RefusedError } from "./gateway.js";
import { collectAgain, collectFacts } from "./host.js";
import { PanelError, say, sayError } from "./messages.js";
import { placeTake } from "./place.js";
import { restoreOriginal } from "./restore.js";

/** @import { premierepro } from "@adobe/premierepro" */
/** @import { Gateway } from "./gateway.js" */
/** @import { Keeper, Pending, Shot } from "./types.d.ts" */

/**
 * What a flow needs from outside.
 * @typedef {object} FlowParts
 * @property {premierepro} ppro
 * @property {Gateway} gateway
 * @property {Keeper} keeper remembers a shot that is under way
 * @property {string} version of the host
 * @property {string} locale
 * @property {(url: string, why: string) => Promise<string>} openPage
 * @property {(milliseconds: number) => Promise<void>} wait
 * @property {(sentence: string) => void} show
 */

const PENDING_KEY = "cleanplate.pending";
const POLL_MILLISECONDS = 1000;
/** What a person can put right while the clean media waits. @type {import("./messages.js").Code[]} */
const MENDABLE = ["covered", "refused", "noAnswer", "noProject", "sequenceGone", "noServer", "badConnection", "noFolder"];

export class Flow {
  #givenUp = false;
  #isPlacing = false;

  /** @param {FlowParts} parts */
  constructor(parts) {
    this.parts = parts;
  }

  /**
   * The shot that was under way when the panel was closed.
   * @returns {Pending | null}
   */
  get pending() {
    const kept = this.parts.keeper.getItem(PENDING_KEY);
    return kept ? JSON.parse(kept) : null;
  }

  /** Cleans what stands under the playhead. */
  async clean() {
    await this.#saying(async () => {
      const { ppro, gateway, keeper, version } = this.parts;
      this.#say("reading");
      const facts = await collectFacts(ppro, version);
      this.#say("asking");
      const shot = await gateway.announce(facts);
      const page = await gateway.pageAddress(shot.page);
      /** @type {Pending} */
      const pending = { shot: shot.name, clip: shot.clip_name, page, facts };
      keeper.setItem(PENDING_KEY, JSON.stringify(pending));
      await this.parts.openPage(page, say(this.parts.locale, "openPage"));
      await this.#follow(pending);
    });
  }

  /** Goes on with the shot that was under way. */
  async resume() {
    await this.#saying(async () => {
      const pending = this.pending;
      if (pending) await this.#follow(pending);
    });
  }

  /** Gives up the shot that is under way, unless it is being placed this moment. */
  async giveUp() {
    await this.#saying(async () => {
      const pending = this.pending;
      if (!pending || this.#isPlacing) return;
      this.#givenUp = true;
      this.parts.keeper.removeItem(PENDING_KEY);
      this.#say("givenUp", { clip: pending.clip });
      const said = say(this.parts.locale, "givenUp", { clip: pending.clip });
      await this.#report(pending, "CANCELLED", said);
    });
  }

  /** Shows the original under the playhead again. */
  async restore() {
    await this.#saying(async () => this.#tell(await restoreOriginal(this.parts.ppro)));
  }

  /** @param {Pending} pending */
  async #follow(pending) {
    this.#givenUp = false;
    while (!this.#givenUp) {
      const shot = await this.#look(pending);
      if (this.#givenUp) return;
      if (shot.state === "READY") return this.#place(pending, shot);
      if (shot.state === "PLACED" || shot.state === "CANCELLED") return this.#end(pending, shot);
      this.#sayState(pending, shot);
      await this.parts.wait(POLL_MILLISECONDS);
    }
  }

  /**
   * @param {Pending} pending
   * @returns {Promise<Shot>}
   */
  async #look(pending) {
    try {
      return await this.parts.gateway.shot(pending.shot);
    } catch (error) {
      if (error instanceof RefusedError && error.status === 404) {
        this.parts.keeper.removeItem(PENDING_KEY);
        throw new PanelError("shotGone");
      }
      const isAway = error instanceof PanelError && (error.code === "noServer" || error.code === "badConnection");
      throw isAway ? new PanelError("serverGone") : error;
    }
  }

  /**
   * @param {Pending} pending
   * @param {Shot} shot
   */
  async #place(pending, shot) {
    this.#say("placing", { clip: pending.clip });
    this.#isPlacing = true;
    try {
      const told = await this.#checkAndPlace(pending, shot);
      this.parts.keeper.removeItem(PENDING_KEY);
      await this.#report(pending, "PLACED", this.#tell(told));
    } catch (error) {
      await this.#failed(pending, error);
    } finally {
      this.#isPlacing = false;
    }
  }

  /**
   * @param {Pending} pending
   * @param {Shot} shot
   */
  async #checkAndPlace(pending, shot) {
    const { ppro, gateway, wait } = this.parts;
    const now = await collectAgain(ppro, pending.facts);
    if (!now.item) throw new PanelError("stale", { clip: pending.clip });
    const checked = await gateway.check(pending.shot, now);
    const placement = checked.placement ?? shot.placement;
    if (!placement) throw new PanelError("shotGone");
    return placeTake(ppro, { facts: pending.facts, placement, wait });
  }

  /**
   * Tells the gateway that a take cannot be placed, so that its page says the same, then the person. What a person can
   * put right leaves the shot ready, to go on with.
   * @param {Pending} pending
   * @param {unknown} error
   */
  async #failed(pending, error) {
    if (error instanceof PanelError && MENDABLE.includes(error.code)) throw error;
    this.parts.keeper.removeItem(PENDING_KEY);
    const sentence = sayError(this.parts.locale, error);
    this.parts.show(sentence);
    await this.#report(pending, "FAILED", sentence);
  }

  /**
   * Lets the shot's page say the same. What happened has happened, so that a server that is away changes nothing.
   * @param {Pending} pending
   * @param {"PLACED" | "FAILED" | "CANCELLED"} state
   * @param {string} sentence
   */
  async #report(pending, state, sentence) {
    try {
      await this.parts.gateway.report(pending.shot, state, sentence);
    } catch (error) {
      if (!(error instanceof PanelError)) throw error;
      console.warn(`${pending.shot} is not reported as ${state}: ${error.message}`);
    }
  }

  /**
   * @param {Pending} pending
   * @param {Shot} shot that is over
   */
  #end(pending, shot) {
    this.parts.keeper.removeItem(PENDING_KEY);
    if (shot.message) this.parts.show(shot.message);
    else this.#say("givenUp", { clip: pending.clip });
  }

  /**
   * @param {Pending} pending
   * @param {Shot} shot
   */
  #sayState(pending, shot) {
    if (shot.state === "WAITING") this.#say("waiting", { clip: pending.clip, page: pending.page });
    else if (shot.state === "WORKING") this.#sayWork(pending, shot);
    else this.parts.show(shot.message); // FAILED: its prompts may be corrected on the page and submitted again.
  }

  /**
   * @param {Pending} pending
   * @param {Shot} shot
   */
  #sayWork(pending, shot) {
    const running = (shot.job?.stages ?? []).filter((stage) => Number(stage.frame_count) > 0);
    const stage = running.find((each) => Number(each.done_frame_count) < Number(each.frame_count)) ?? running.at(-1);
    if (!stage) return this.#say("workingPlain", { clip: pending.clip });
    const { stage: name, done_frame_count: done, frame_count: total } = stage;
    return this.#say("working", { clip: pending.clip, stage: name, done, total });
  }

  /**
   * @param {import("./place.js").Told[]} told
   * @returns {string} what was shown
   */
  #tell(told) {
    const sentence = told.map(([code, values]) => say(this.parts.locale, code, values)).join("");
    this.parts.show(sentence);
    return sentence;
  }

  /**
   * @param {import("./messages.js").Code} code
   * @param {import("./messages.js").Values} [values]
   */
  #say(code, values) {
    this.parts.show(say(this.parts.locale, code, values));
  }

  /**
   * The one place that catches everything: whatever goes wrong ends as a sentence in the panel.
   * @param {() => Promise<unknown>} act
   */
  async #saying(act) {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof PanelError)) console.error(error);
      this.parts.show(sayError(this.parts.locale, error));
    }
  }
}
