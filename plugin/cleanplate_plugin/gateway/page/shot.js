// The page where a person says what is to go: a client of the gateway, nothing more.

import { askJson, call, Refusal } from "./calls.js";
import { Marks } from "./marks.js";
import { boxBetween, overlayOf, View } from "./view.js";
import { words, writeWords } from "./words.js";

const HOSTS = { resolve: "DaVinci Resolve", premiere: "Premiere Pro" };
const HEIGHTS = [360, 540, 720, 1080, 1440, 2160]; // few sizes, so that frames are found in the browser's cache
const DRAG_PX = 5; // less than this is a click
const SEGMENT_PAUSE_MS = 120;
const RECONNECT_MS = 2000;

const element = (id) => document.getElementById(id);
const canvas = element("view");
const view = new View(canvas);
const marks = new Marks();
const url = `/v1${location.pathname}`; // /v1/shots/ID

let shot = null;
let frame = 0;
let picture = null; // { frame, bitmap }
let cursor = null; // the keyboard's place
let drag = null; // { from, to, start }
let question = 0; // counts what the segmenter was asked; answers to older questions are dropped
let wanted = 0; // the same for pictures

// ---- calls

/** Does what may be refused, and shows the refusal. */
async function attempt(action) {
  try {
    complain("");
    await action();
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    complain(refusal.status === 401 ? words.again : refusal.message);
  }
}

/** The server keeps a few clips open; one that it has closed is opened again, once. */
async function withClip(ask) {
  try {
    return await ask(shot.clip.name);
  } catch (refusal) {
    if (refusal.reason !== "CLIP_NOT_OPEN") throw refusal;
    shot.clip = (await askJson(`${url}/open`, {})).clip;
    return ask(shot.clip.name);
  }
}

async function loadPicture() {
  const [mine, at] = [++wanted, frame];
  const height = HEIGHTS.find((each) => each >= canvas.clientHeight * devicePixelRatio) ?? 0;
  const path = (clip) => `/v1/frames/${clip.split("/")[1]}/${at}?max_height=${height}`;
  const response = await withClip((clip) => call(path(clip)));
  const bitmap = await createImageBitmap(await response.blob());
  if (mine !== wanted) return;
  picture = { frame: at, bitmap };
  draw();
}

let pause = 0;

/** Asks for outlines a little later, so that quick clicks are one question. */
function segmentSoon() {
  question++;
  clearTimeout(pause);
  if (marks.on(frame)) pause = setTimeout(() => attempt(segment), SEGMENT_PAUSE_MS);
  show();
}

async function segment() {
  const [mine, here] = [question, marks.on(frame)];
  const prompt = here.prompt(frame);
  say(words.looking);
  try {
    const answer = await withClip((clip) => askJson("/v1/SegmentService/Segment", { clip, prompt }));
    const masks = answer.candidates.map((candidate) => candidate.mask.png);
    const outlines = await Promise.all(masks.map(async (png) => ({ png, overlay: await overlayOf(png) })));
    if (mine !== question) return;
    here.outlines = outlines;
    say(words.found);
  } catch (refusal) {
    if (mine !== question) return;
    here.outlines = [];
    say("");
    throw refusal;
  } finally {
    show();
  }
}

// ---- what is shown

const isBusy = () => !["WAITING", "FAILED"].includes(shot.state);
const say = (sentence) => { element("status").textContent = sentence; };

function complain(sentence) {
  element("failure").textContent = sentence;
  element("failure").hidden = !sentence;
}

function draw() {
  const here = marks.on(frame);
  const list = [...(here?.list ?? []), ...(drag ? [{ box: boxBetween(drag.from, drag.to) }] : [])];
  const isHere = picture?.frame === frame; // else the picture is a frame late, and marks on it would lie
  const hasFocus = document.activeElement === canvas;
  view.draw(picture?.bitmap, isHere ? here?.overlay : null, isHere ? list : [], hasFocus ? cursor : null);
}

const part = (kind, text) => Object.assign(document.createElement(kind), { textContent: text });

function button(label, action) {
  const made = part("button", label);
  made.type = "button";
  made.addEventListener("click", action);
  return made;
}

/** Shows what depends on the marks, and whether they may be changed. */
function show() {
  const here = marks.on(frame);
  const idle = !isBusy();
  const rows = marks.all.map(([at, { list }]) => {
    const go = button(words.go(at, list.length), () => goTo(at));
    go.setAttribute("aria-current", String(at === frame));
    const row = part("li", "");
    row.append(go);
    return row;
  });
  const outlines = (here?.outlines ?? []).map((_, number) => {
    const choose = button(words.outline(number + 1), () => { here.chosen = number; show(); });
    choose.setAttribute("aria-pressed", String(number === here.chosen));
    choose.disabled = !idle;
    return choose;
  });
  element("frames").replaceChildren(...rows);
  element("none").hidden = rows.length > 0;
  element("candidates").replaceChildren(...outlines);
  element("candidates").hidden = outlines.length < 2;
  element("undo").disabled = !idle || marks.isEmpty;
  element("clear").disabled = !idle || !here;
  element("remove").disabled = !idle || marks.isEmpty;
  for (const id of ["effort", "delivery"]) element(id).disabled = !idle;
  draw();
}

/** Shows where the shot stands. */
function showShot() {
  const [host, word] = [HOSTS[shot.host] ?? shot.host, words[shot.state]];
  const isWorking = shot.state === "WORKING";
  const isOver = ["PLACED", "CANCELLED"].includes(shot.state);
  element("clip").textContent = document.title = shot.clip_name;
  say((shot.state === "PLACED" && shot.message) || (typeof word === "function" ? word(host) : word));
  complain(shot.state === "FAILED" ? shot.message : "");
  element("hint").hidden = isBusy();
  element("notes").replaceChildren(...(shot.job?.notes ?? []).map((note) => part("li", note)));
  element("work").hidden = element("stop").hidden = !isWorking;
  element("work").replaceChildren(...(isWorking ? shot.job?.stages ?? [] : []).map(stageRow));
  element("remove").hidden = isWorking || isOver || shot.state === "READY";
  element("cancel").hidden = isOver;
  show();
}

function stageRow({ stage, done_frame_count, frame_count, frames_per_second: fps }) {
  const [done, all] = [Number(done_frame_count), Number(frame_count)];
  const bar = document.createElement("progress");
  if (all) Object.assign(bar, { max: all, value: done });
  bar.setAttribute("aria-label", words[stage] ?? stage);
  const runs = fps > 0 && done < all;
  const speed = part("span", runs ? [words.speed(fps.toFixed(1)), words.left(clock((all - done) / fps))].join(" · ") : "");
  const row = part("div", "");
  [row.className, speed.className] = ["stage", "quiet"];
  row.append(part("span", words[stage] ?? stage), part("span", all ? words.frames(done, all) : ""), bar, speed);
  return row;
}

function clock(seconds) {
  const whole = Math.ceil(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

// ---- what a person does

function goTo(next) {
  if (next !== frame) question++;
  frame = next;
  element("frame").value = element("number").textContent = String(next);
  show();
  attempt(loadPicture);
}

function add(mark) {
  if (isBusy()) return;
  marks.add(frame, mark);
  segmentSoon();
}

function undo() {
  const at = isBusy() ? null : marks.undo();
  if (at === null) return;
  if (at !== frame) goTo(at);
  segmentSoon();
}

function listenToPointer() {
  canvas.addEventListener("pointerdown", (event) => {
    const { point, inPicture } = view.pointAt(event);
    if (event.button !== 0 || isBusy() || !inPicture) return;
    canvas.setPointerCapture(event.pointerId);
    drag = { from: point, to: point, start: event };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return;
    drag.to = view.pointAt(event).point;
    draw();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const { from, to, start } = drag;
    const isClick = Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) < DRAG_PX;
    drag = null;
    add(isClick ? { ...from, inside: !event.altKey } : { box: boxBetween(from, to) });
  });
  canvas.addEventListener("pointercancel", () => { drag = null; draw(); });
}

function listenToKeys() {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step && event.key !== "Enter") return;
    event.preventDefault();
    cursor ??= { x: shot.clip.width / 2, y: shot.clip.height / 2 };
    const far = shot.clip.height / (event.shiftKey ? 10 : 100);
    if (step) cursor = view.within({ x: cursor.x + step[0] * far, y: cursor.y + step[1] * far });
    else add({ ...cursor, inside: !event.altKey });
    draw();
  });
  canvas.addEventListener("focus", draw);
  canvas.addEventListener("blur", draw);
  addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.key.toLowerCase() !== "z") return;
    event.preventDefault();
    undo();
  });
}

function listenToControls() {
  const post = (verb, body) => attempt(async () => take(await askJson(`${url}/${verb}`, body)));
  element("undo").addEventListener("click", undo);
  element("clear").addEventListener("click", () => { marks.clear(frame); segmentSoon(); });
  element("stop").addEventListener("click", () => post("stop", {}));
  element("cancel").addEventListener("click", () => post("cancel", {}));
  element("remove").addEventListener("click", async () => {
    element("remove").disabled = true; // a second click would be refused
    const [delivery, effort] = [element("delivery").value, element("effort").value];
    await post("submit", { prompts: marks.prompts, delivery, effort });
    show();
  });
  let moved = 0;
  element("frame").addEventListener("input", (event) => {
    cancelAnimationFrame(moved);
    moved = requestAnimationFrame(() => goTo(Number(event.target.value)));
  });
}

// ---- the shot

/** Takes in the shot as it now stands; what was said to the person stays while it only waits. */
function take(next) {
  const before = shot?.state;
  shot = next;
  if (shot.state !== before || shot.state === "WORKING") showShot();
}

/** A browser connects again by itself when the line is cut; where it is refused, we ask why. */
function watch() {
  const events = new EventSource(`${url}/watch`);
  events.addEventListener("shot", (event) => take(JSON.parse(event.data)));
  events.addEventListener("open", () => complain(shot.state === "FAILED" ? shot.message : ""));
  events.addEventListener("error", () => {
    if (["PLACED", "CANCELLED"].includes(shot.state)) return events.close();
    complain(words.lost);
    if (events.readyState === EventSource.CLOSED) setTimeout(() => attempt(watchAgain), RECONNECT_MS);
  });
}

async function watchAgain() {
  take(await askJson(url));
  watch();
}

/** Gives the link's code, which is good once, for a cookie; a page that is loaded again has the cookie already. */
async function openSession() {
  const code = location.hash.slice(1);
  if (!code) return;
  history.replaceState(null, "", location.pathname);
  try {
    await call("/v1/session", { code });
  } catch (refusal) {
    if (refusal.status !== 401) throw refusal;
  }
}

async function start() {
  say(words.opening);
  await openSession();
  const found = await askJson(url);
  document.body.classList.remove("closed");
  const [first, count] = [Number(found.range.start_frame), Number(found.range.frame_count)];
  view.setMedia(found.clip);
  Object.assign(element("frame"), { min: String(first), max: String(first + count - 1), disabled: count < 2 });
  take(found);
  goTo(Number(found.prompt_frame));
  listenToPointer();
  listenToKeys();
  listenToControls();
  new ResizeObserver(draw).observe(canvas);
  watch();
}

writeWords();
attempt(start).then(() => { if (!shot) say(""); });
