// Puts the page together.

import { commandsOf } from "./commands.js";
import { Deeds } from "./deeds.js";
import { button, element, setText } from "./dom.js";
import { EdgesPanel, FollowPanel } from "./follow.js";
import { Gateway, Refusal } from "./gateway.js";
import { History } from "./history.js";
import { JudgingBar } from "./judging.js";
import { Keyboard } from "./keyboard.js";
import { language, setLanguage, word } from "./language.js";
import { Lens } from "./lens.js";
import { ObjectsPanel } from "./objects.js";
import { Outbox } from "./outbox.js";
import { Pictures } from "./pictures.js";
import { Player } from "./player.js";
import { Pointer } from "./pointer.js";
import { Receiver } from "./receiver.js";
import { blankState, Store } from "./store.js";
import { Strip } from "./strip.js";
import { TakesPanel } from "./takes.js";
import { TakingPanel } from "./taking.js";
import { Top } from "./top.js";
import { Viewer } from "./viewer.js";
import { Watch } from "./watch.js";
import { Wishes } from "./wishes.js";

const canvas = /** @type {HTMLCanvasElement} */ (element("view"));
const store = new Store({ ...blankState(), language: language() });
const { state } = store;
const gateway = new Gateway(location.pathname.split("/")[2] ?? "");
setLanguage(language());

// ---- what comes and goes

/** @type {(verb: string, body?: object) => Promise<any>} */
const ask = (verb, body) => gateway.ask(verb, body);

/** Answers to a click are shown without asking for the mask again. */
const receiver = new Receiver(store, (told) => outbox.shown(told), async (object, frame, { candidates, prompted }) => {
  const best = candidates[prompted.chosen];
  if (!best || !state.session) return;
  const bytes = Uint8Array.from(atob(best.mask.png), (letter) => letter.charCodeAt(0));
  const blob = new Blob([bytes], { type: "image/png" });
  pictures.give(gateway.mask(object, frame, prompted.revision), { blob, whole: state.session.clip, box: best.box });
});

/** @param {Refusal} refusal */
function tellTrouble(refusal) {
  if (refusal.isLocked) store.set({ connection: "locked" });
  else if (refusal.isLost) store.set({ connection: "lost" });
}

const outbox = new Outbox(gateway, {
  onCount: (waiting) => store.set({ waiting }),
  onTrouble: (refusal) => { tellTrouble(refusal); watch.openSoon(); },
});

const watch = new Watch(gateway, store, receiver, () => {
  document.body.classList.remove("closed");
  outbox.retry();
  pictures.forgive();
  player.rest();
  viewer.ask();
  void taking.loadEngines();
});

// ---- the picture

const lens = new Lens(canvas);
const pictures = new Pictures(() => viewer.ask(), (refusal) => {
  if (refusal.isLost || refusal.isLocked) watch.openSoon();
  else if (refusal.reason !== "NO_MASK" && refusal.reason !== "NOT_LOOKED_FOR") store.set({ failure: refusal.message });
});
const wishes = new Wishes(state, gateway, lens);
const viewer = new Viewer(canvas, state, lens, wishes, pictures);

/** @param {() => void} zoom */
function zoomed(zoom) {
  zoom();
  store.set({ zoom: lens.scale });
  viewer.ask();
}

// ---- what a person does

const history = new History((undo, redo) => store.set({ undo, redo }));
const deeds = new Deeds(store, history, outbox, receiver);
const pointer = new Pointer(viewer, store, deeds, { onZoom: () => zoomed(() => undefined), onHover: showReadout });
const player = new Player(store, { onRest: prepare });

/** A frame that is looked at will be clicked on: it is made ready. @param {number} frame */
async function prepare(frame) {
  if (state.connection !== "live" || state.mode !== "mask") return;
  try {
    await ask("prepare", { frame: String(frame) });
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    tellTrouble(refusal); // the click itself will say the rest
  }
}

/** @param {import("./wire.d.ts").Place | null} point */
function showReadout(point) {
  const values = point && viewer.valuesAt(point);
  const place = point ? `x ${Math.round(point.x)}  y ${Math.round(point.y)}` : "";
  setText(element("readout"), values ? `${place}   R ${values[0]}  G ${values[1]}  B ${values[2]}` : place);
}

// ---- the rest of the page

const top = new Top(store, () => { outbox.retry(); void watch.open(); });
const objects = new ObjectsPanel(store, deeds, player);
const follow = new FollowPanel(store, ask, receiver);
const judging = new JudgingBar(store, lens, ask, receiver);
const taking = new TakingPanel(store, deeds, ask, receiver);
new EdgesPanel(store, deeds);
new TakesPanel(store, deeds, ask);
new Strip(/** @type {HTMLCanvasElement} */ (element("strip")), store, player);

const commands = commandsOf({
  store, player, history, deeds, lens, objects, follow, judging, taking, zoomed, help: () => top.showHelp(),
});
top.setCommands(commands);
new Keyboard(commands, store, pointer, deeds);

store.watch(["session", "tracks", "drafts", "jobs", "frame", "speed", "object", "mode", "unseen", "chosen", "wipe", "cross",
  "sliding", "tool", "brush"], () => viewer.ask());
store.watch(["session"], () => { if (state.session && !lens.hasMedia) lens.setMedia(state.session.clip); });
new ResizeObserver(() => { viewer.ask(); store.set({ zoom: lens.scale }); }).observe(canvas);
addEventListener("online", () => void watch.open());
addEventListener("hashchange", () => void watch.open());
document.addEventListener("visibilitychange", () => { if (!document.hidden && state.connection !== "live") void watch.open(); });
button("help").setAttribute("aria-haspopup", "dialog");
setText(element("status"), word("opening"));
void watch.open();
