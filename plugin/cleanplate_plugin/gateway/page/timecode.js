// Frames as people write them.

/** @typedef {import("./wire.d.ts").Clip} Clip */

const DROPPED_EACH_MINUTE = 2; // at 30 a second

/** @param {Clip} clip */
export function rateOf({ frame_rate: { numerator, denominator } }) {
  return Number(numerator) / Number(denominator);
}

/** @param {Clip} clip */
export function rateText(clip) {
  return String(Math.round(rateOf(clip) * 1000) / 1000);
}

/**
 * The timecode of a frame; its number where the media has none.
 * @param {Clip} clip
 * @param {number} frame from 0 in the media
 */
export function timecodeOf(clip, frame) {
  const found = /^(\d\d):(\d\d):(\d\d)([:;])(\d\d)$/.exec(clip.start_timecode);
  if (!found) return String(frame);
  const base = Math.round(rateOf(clip));
  const [hours, minutes, seconds, frames] = [found[1], found[2], found[3], found[5]].map(Number);
  const drop = found[4] === ";" ? DROPPED_EACH_MINUTE * Math.round(base / 30) : 0;
  const wholeMinutes = 60 * hours + minutes;
  const counted = (60 * wholeMinutes + seconds) * base + frames - drop * (wholeMinutes - Math.floor(wholeMinutes / 10));
  return written(withDropped(counted + frame, base, drop), base, found[4]);
}

/**
 * Numbers that are left out are counted in.
 * @param {number} count
 * @param {number} base
 * @param {number} drop
 */
function withDropped(count, base, drop) {
  if (!drop) return count;
  const [perMinute, perTen] = [60 * base - drop, 600 * base - 9 * drop];
  const [tens, rest] = [Math.floor(count / perTen), count % perTen];
  const minutes = rest < 60 * base ? 0 : 1 + Math.floor((rest - 60 * base) / perMinute);
  return count + drop * (9 * tens + minutes);
}

/**
 * @param {number} count
 * @param {number} base
 * @param {string} sign before the frames
 */
function written(count, base, sign) {
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const seconds = Math.floor(count / base);
  const hours = Math.floor(seconds / 3600) % 24;
  return `${two(hours)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}${sign}${two(count % base)}`;
}

/**
 * A length of time, in minutes and seconds.
 * @param {number} seconds
 */
export function clock(seconds) {
  const whole = Math.ceil(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const tail = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** @param {number | string} bytes */
export function gibibytes(bytes) {
  return Math.max(0.1, Number(bytes) / 2 ** 30).toFixed(1);
}
