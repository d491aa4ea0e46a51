// In which language the page speaks: the browser's, or the one that was chosen here.

import { chinese } from "./chinese.js";
import { english } from "./english.js";

const KEPT = "cleanplate-language";

/** @type {ReadonlyArray<[string, string]>} */
export const LANGUAGES = [["en", "English"], ["zh", "中文"]];

let words = english;

/** The code of the language in force. */
export function language() {
  const chosen = localStorage.getItem(KEPT) ?? navigator.language;
  return chosen.toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** @param {string} code */
export function setLanguage(code) {
  if (code !== language()) localStorage.setItem(KEPT, code);
  words = language() === "zh" ? chinese : english;
  writeWords();
}

/**
 * A word or a sentence. Names that the page does not know, such as an engine's new kind, are shown as they are.
 * @param {string} name
 * @param {...(string | number)} values that are put in
 */
export function word(name, ...values) {
  const found = words[name] ?? name.replace(/^[a-z]+_/, "");
  return found.replace(/\{(\d)(?:\|([^|}]*)\|([^}]*))?\}/g, (_, place, one, many) => {
    const value = values[Number(place)] ?? "";
    return one === undefined ? String(value) : Number(value) === 1 ? one : many.replace("#", String(value));
  });
}

/** Writes the words that do not change. */
export function writeWords() {
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  const places = /** @type {const} */ ([["data-word", "textContent"], ["data-label", "ariaLabel"], ["data-hint", "placeholder"]]);
  for (const [mark, property] of places) {
    for (const each of document.querySelectorAll(`[${mark}]`)) Object.assign(each, { [property]: word(each.getAttribute(mark) ?? "") });
  }
}
