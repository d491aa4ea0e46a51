/** The panel's buttons and its one line of text. */

import { chooseFolder, readConnection, USUAL_FOLDER } from "./connection.js";
import { exportOtio } from "./exporting.js";
import { Flow } from "./flow.js";
import { Gateway } from "./gateway.js";
import { say, sayError } from "./messages.js";

/** @import { premierepro } from "@adobe/premierepro" */
/** @import { Code } from "./messages.js" */
/** @import { Keeper, Uxp } from "./types.d.ts" */

/**
 * What a panel is made of.
 * @typedef {object} PanelParts
 * @property {premierepro} ppro
 * @property {Uxp} uxp
 * @property {Document} document
 * @property {Keeper} keeper
 * @property {typeof fetch} fetch
 */

const BUTTONS = /** @type {const} */ (["clean", "resume", "cancel", "restore", "export", "folder"]);

/**
 * Wires the page.
 * @param {PanelParts} parts
 */
export function startPanel({ ppro, uxp, document, keeper, fetch }) {
  const files = uxp.storage.localFileSystem;
  const locale = uxp.host.uiLocale || "en";
  const version = uxp.host.version;
  const usual = navigator.platform.startsWith("Win") ? USUAL_FOLDER.win32 : USUAL_FOLDER.darwin;
  const line = element(document, "status");
  const show = (/** @type {string} */ sentence) => {
    line.textContent = sentence;
  };
  const gateway = new Gateway({ connect: () => readConnection(files, keeper, usual), fetch, wait });
  const openPage = (/** @type {string} */ url, /** @type {string} */ why) => uxp.shell.openExternal(url, why);
  const flow = new Flow({ ppro, gateway, keeper, version, locale, openPage, wait, show });

  /** @type {Record<typeof BUTTONS[number], () => Promise<unknown>>} */
  const acts = {
    clean: () => flow.clean(),
    resume: () => flow.resume(),
    cancel: () => flow.giveUp(),
    restore: () => flow.restore(),
    export: async () => {
      const told = await exportOtio(ppro, files, version);
      told.forEach(([code, values]) => show(say(locale, code, values)));
    },
    folder: async () => {
      if (await chooseFolder(files, keeper)) show(say(locale, "ready"));
    },
  };
  let busy = false;
  const refresh = () => {
    for (const name of BUTTONS) {
      const isWanted = name === "cancel" ? flow.pending !== null : !busy;
      const isShown = name === "resume" || name === "cancel" ? flow.pending !== null : true;
      setButton(element(document, name), isWanted, isShown);
    }
  };
  for (const name of BUTTONS) {
    const button = element(document, name);
    button.textContent = say(locale, /** @type {Code} */ (name));
    button.addEventListener("click", async () => {
      if (busy && name !== "cancel") return;
      busy = true;
      refresh();
      try {
        await acts[name]();
      } catch (error) {
        show(sayError(locale, error));
      } finally {
        busy = false;
        refresh();
      }
    });
  }
  const left = flow.pending;
  show(left ? say(locale, "left", { clip: left.clip }) : say(locale, "ready"));
  refresh();
}

/** @param {number} milliseconds */
function wait(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/**
 * @param {Document} document
 * @param {string} id
 * @returns {HTMLElement}
 */
function element(document, id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * @param {HTMLElement} button
 * @param {boolean} isWanted
 * @param {boolean} isShown
 */
function setButton(button, isWanted, isShown) {
  if (isWanted) button.removeAttribute("disabled");
  else button.setAttribute("disabled", "disabled");
  button.style.display = isShown ? "" : "none";
}
