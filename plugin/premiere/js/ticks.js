/** Time in Premiere: whole ticks, counted with BigInt because an hour is beyond what a number holds exactly. */

/** @import { premierepro, TickTime } from "@adobe/premierepro" */

/** Ticks in a second. */
export const TICKS_PER_SECOND = 254016000000n;

/** Frames a second by which a rate told as a number may be off: 23.976 is meant as 24000/1001. */
const RATE_SLACK = 0.001;

/**
 * Reads a time exactly.
 * @param {TickTime} time
 * @returns {bigint}
 */
export function ticksOf(time) {
  return BigInt(time.ticks);
}

/**
 * Makes a time.
 * @param {premierepro} ppro
 * @param {bigint} ticks
 * @returns {TickTime}
 */
export function timeOf(ppro, ticks) {
  return ppro.TickTime.createWithTicks(ticks.toString());
}

/**
 * How many ticks a frame of footage lasts.
 * @param {number} rate frames a second, as Premiere tells it
 * @returns {bigint | null} null where it is no usual rate
 */
export function footageTicks(rate) {
  if (!(rate >= 1 && rate <= 1000)) return null;
  const whole = Math.round(rate);
  const timed = Math.ceil(rate);
  const half = Math.round(rate * 2);
  /** @type {[number, bigint][]} */
  const candidates = [
    [whole, TICKS_PER_SECOND / BigInt(whole)],
    [(timed * 1000) / 1001, (TICKS_PER_SECOND * 1001n) / BigInt(timed * 1000)],
    [half / 2, (TICKS_PER_SECOND * 2n) / BigInt(half)],
  ];
  candidates.sort((a, b) => Math.abs(a[0] - rate) - Math.abs(b[0] - rate));
  return Math.abs(candidates[0][0] - rate) <= RATE_SLACK ? candidates[0][1] : null;
}

/**
 * A number of frames as an editor reads it on a sequence.
 * @param {bigint} ticks
 * @param {bigint} ticksPerFrame
 * @returns {string}
 */
export function frameText(ticks, ticksPerFrame) {
  return (ticks / ticksPerFrame).toString();
}
