/** The panel inside Premiere: the one place that asks UXP for the host's modules. */

import { startPanel } from "./panel.js";

const ppro = require("premierepro");
const uxp = require("uxp");

let started = false;

function show() {
  if (started) return;
  started = true;
  startPanel({ ppro, uxp, document, keeper: localStorage, fetch: (input, init) => fetch(input, init) });
}

uxp.entrypoints.setup({ panels: { cleanplate: { create: show, show } } });
