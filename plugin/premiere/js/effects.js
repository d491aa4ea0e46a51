/** Whether two clips look alike: an overlay does not inherit what was done to the clip below it. */

/** @import { Component, premierepro, VideoClipTrackItem } from "@adobe/premierepro" */

/** Some getters of parameters were seen never to answer. */
const PATIENCE_MILLISECONDS = 2000;

/**
 * Names of the effects in which the original differs from the clean clip.
 * @param {premierepro} ppro
 * @param {VideoClipTrackItem} original
 * @param {VideoClipTrackItem} clean
 * @returns {Promise<string[] | null>} null where Premiere does not tell
 */
export async function differingEffects(ppro, original, clean) {
  try {
    return await inTime(differing(ppro, original, clean));
  } catch {
    return null; // Only a hint depends on it, and the hint then says that it could not be read.
  }
}

/**
 * @param {premierepro} ppro
 * @param {VideoClipTrackItem} original
 * @param {VideoClipTrackItem} clean
 */
async function differing(ppro, original, clean) {
  const plain = new Map();
  for (const component of await componentsOf(clean)) {
    plain.set(await component.getMatchName(), await valuesOf(ppro, component));
  }
  const names = [];
  for (const component of await componentsOf(original)) {
    const values = await valuesOf(ppro, component);
    if (plain.get(await component.getMatchName()) !== values) names.push(await component.getDisplayName());
  }
  return names;
}

/**
 * @param {VideoClipTrackItem} item
 */
async function componentsOf(item) {
  const chain = await item.getComponentChain();
  return Array.from({ length: chain.getComponentCount() }, (_, index) => chain.getComponentAtIndex(index));
}

/**
 * @param {premierepro} ppro
 * @param {Component} component
 */
async function valuesOf(ppro, component) {
  const values = [];
  for (let index = 0; index < component.getParamCount(); index++) {
    const param = component.getParam(index);
    values.push(param.isTimeVarying() ? "keyframes" : await param.getValueAtTime(ppro.TickTime.TIME_ZERO));
  }
  return JSON.stringify(values);
}

/**
 * @template T
 * @param {Promise<T>} answer
 * @returns {Promise<T>}
 */
async function inTime(answer) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer")), PATIENCE_MILLISECONDS);
  });
  try {
    return /** @type {T} */ (await Promise.race([answer, late]));
  } finally {
    clearTimeout(timer);
  }
}
