// The page where a person says what is to go: a client of the gateway, nothing more.

import { words, writeWords } from "./words.js";

const HOSTS = { resolve: "DaVinci Resolve", premiere: "Premiere Pro" };
const HEIGHTS = [360, 540, 720, 1080, 1440, 2160];
const DRAG_PX = 5; // less than this is a click
const SEGMENT_PAUSE_MS = 120;

const element = (id) => document.getElementById(id);
const view = element("view");
const name = location.pathname.slice(1); // shots/ID
const url = `/v1/${name}`;

let shot = null;
let frame = 0;
let picture = null; // ImageBitmap of `pictureFrame`
let pictureFrame = -1;
let mark = null; // keyboard's place, in source pixels
let drag = null; // from and to, in source pixels
const marks = new Map(); // frame -> { list: [point or box], candidates: [], chosen: 0 }
const history = []; // frames, in the order in which marks were made
let asked = 0; // counts questions to the segmenter; late answers to older ones are dropped
let wanted = 0; // the same for pictures

// ---- calls

class Refusal extends Error {
  constructor(error, status) {
    super(error.message);
    this.reason = error.reason;
    this.status = status;
  }
}

async function call(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refusal({ message: words.gone, reason: "GONE" }, 0);
  }
  if (!response.ok) throw new Refusal((await response.json()).error, response.status);
  return response;
}

async function askJson(path, body) {
  return (await call(path, body)).json();
}

// The server keeps a few clips open; one that it has closed is opened again, once.
async function withClip(ask) {
  try {
    return await ask(clipId());
  } catch (refusal) {
    if (refusal.reason !== "CLIP_NOT_OPEN") throw refusal;
    shot.clip = (await askJson(`${url}/open`, {})).clip;
    return ask(clipId());
  }
}

const clipId = () => shot.clip.name.split("/")[1];

function complain(refusal) {
  element("failure").textContent = refusal ? refusal.message : "";
  element("failure").hidden = !refusal;
}

async function attempt(action) {
  try {
    complain(null);
    await action();
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    complain(refusal);
  }
}

// ---- the picture

async function loadPicture() {
  const mine = ++wanted;
  const height = HEIGHTS.find((each) => each >= view.clientHeight * devicePixelRatio) ?? 0;
  const response = await withClip((id) => call(`/v1/frames/${id}/${frame}?max_height=${height}`));
  const loaded = await createImageBitmap(await response.blob());
  if (mine !== wanted) return;
  [picture, pictureFrame] = [loaded, frame];
  draw();
}

// Where the picture stands on the canvas, in CSS pixels; `x` and `y` are CSS pixels for one source pixel.
function placed() {
  const aspect = shot.clip.pixel_aspect;
  const stretch = aspect ? Number(aspect.numerator) / Number(aspect.denominator) : 1;
  const y = Math.min(view.clientWidth / (shot.clip.width * stretch), view.clientHeight / shot.clip.height);
  const x = y * stretch;
  return { x, y, left: (view.clientWidth - x * shot.clip.width) / 2, top: (view.clientHeight - y * shot.clip.height) / 2 };
}

function toSource(event) {
  const box = view.getBoundingClientRect();
  const at = placed();
  const x = (event.clientX - box.left - at.left) / at.x - 0.5;
  const y = (event.clientY - box.top - at.top) / at.y - 0.5;
  return { x, y, outside: x < -0.5 || y < -0.5 || x > shot.clip.width - 0.5 || y > shot.clip.height - 0.5 };
}

const clamp = (value, top) => Math.min(Math.max(value, 0), top);
const within = (point) => ({ x: clamp(point.x, shot.clip.width - 1), y: clamp(point.y, shot.clip.height - 1) });

function draw() {
  if (!shot) return;
  const scale = devicePixelRatio;
  view.width = Math.round(view.clientWidth * scale);
  view.height = Math.round(view.clientHeight * scale);
  const pen = view.getContext("2d");
  const at = placed();
  const area = [at.left, at.top, at.x * shot.clip.width, at.y * shot.clip.height];
  pen.scale(scale, scale);
  if (picture) pen.drawImage(picture, ...area);
  const here = marks.get(frame);
  if (pictureFrame !== frame) return;
  if (here?.candidates.length) pen.drawImage(here.candidates[here.chosen].overlay, ...area);
  const toView = (point) => [at.left + (point.x + 0.5) * at.x, at.top + (point.y + 0.5) * at.y];
  for (const each of here?.list ?? []) each.box ? drawBox(pen, toView, each.box) : drawPoint(pen, toView(each), each.inside);
  if (drag) drawBox(pen, toView, boxOf(drag));
  if (mark && document.activeElement === view) drawMark(pen, toView(mark));
}

function drawPoint(pen, [x, y], inside) {
  pen.beginPath();
  pen.arc(x, y, 6, 0, 2 * Math.PI);
  pen.fillStyle = inside ? "#22c55e" : "#ef4444";
  pen.fill();
  pen.lineWidth = 2;
  pen.strokeStyle = "#fff";
  pen.stroke();
  pen.beginPath();
  pen.moveTo(x - 3, y);
  pen.lineTo(x + 3, y);
  if (inside) {
    pen.moveTo(x, y - 3);
    pen.lineTo(x, y + 3);
  }
  pen.stroke();
}

function drawBox(pen, toView, box) {
  const [left, top] = toView({ x: box.x0 - 0.5, y: box.y0 - 0.5 });
  const [right, bottom] = toView({ x: box.x1 + 0.5, y: box.y1 + 0.5 });
  for (const [colour, width] of [["#000a", 4], ["#fff", 2]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.strokeRect(left, top, right - left, bottom - top);
  }
}

function drawMark(pen, [x, y]) {
  for (const [colour, width] of [["#000a", 4], ["#fff", 1.5]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.strokeRect(x - 8, y - 8, 16, 16);
  }
}

const boxOf = ({ from, to }) => ({
  x0: Math.round(Math.min(from.x, to.x)), y0: Math.round(Math.min(from.y, to.y)),
  x1: Math.round(Math.max(from.x, to.x)), y1: Math.round(Math.max(from.y, to.y)),
});

// A mask's PNG as a tint with a bright rim.
async function overlayOf(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const mask = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const canvas = new OffscreenCanvas(mask.width, mask.height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(mask, 0, 0);
  const pixels = pen.getImageData(0, 0, mask.width, mask.height);
  const values = new Uint32Array(pixels.data.buffer);
  const inside = Uint8Array.from(values, (value) => (value & 0xff) >> 7);
  const rim = Math.max(1, Math.round(mask.height / 360));
  for (let i = 0; i < values.length; i++) {
    const edge = inside[i] && !(inside[i - rim] && inside[i + rim] && inside[i - rim * mask.width] && inside[i + rim * mask.width]);
    values[i] = !inside[i] ? 0 : edge ? 0xffffffff : 0x80ff6a3d; // ABGR
  }
  pen.putImageData(pixels, 0, 0);
  return canvas;
}

// ---- marks

const busy = () => !shot || !["WAITING", "FAILED"].includes(shot.state);

function addMark(one) {
  if (busy()) return;
  const here = marks.get(frame) ?? { list: [], candidates: [], chosen: 0 };
  if (one.box) here.list = here.list.filter((each) => !each.box);
  here.list.push(one);
  here.chosen = 0;
  marks.set(frame, here);
  history.push(frame);
  showMarks();
  segmentSoon();
}

function undo() {
  if (busy() || !history.length) return;
  const last = history.pop();
  const here = marks.get(last);
  here.list.pop();
  if (!here.list.length) marks.delete(last);
  goTo(last);
  showMarks();
  segmentSoon();
}

function clearFrame() {
  marks.delete(frame);
  for (let i = history.length - 1; i >= 0; i--) if (history[i] === frame) history.splice(i, 1);
  showMarks();
  segmentSoon();
}

function promptOf(at, here) {
  const points = here.list.filter((each) => !each.box).map(({ x, y, inside }) => ({ x, y, side: inside ? "SIDE_INSIDE" : "SIDE_OUTSIDE" }));
  const box = here.list.find((each) => each.box)?.box;
  return { frame: at, object_id: 1, points, ...(box && { box }) };
}

// Any but the first candidate is a choice, which travels as the mask itself.
function jobPrompts() {
  return [...marks.entries()].sort(([a], [b]) => a - b).map(([at, here]) => ({
    ...promptOf(at, here), ...(here.chosen > 0 && { mask: { png: here.candidates[here.chosen].png } }),
  }));
}

let pause = 0;
function segmentSoon() {
  asked++;
  clearTimeout(pause);
  draw();
  if (marks.has(frame)) pause = setTimeout(() => attempt(segment), SEGMENT_PAUSE_MS);
}

async function segment() {
  const [mine, at, here] = [asked, frame, marks.get(frame)];
  if (!here) return;
  say(words.looking);
  try {
    const answer = await withClip((id) => askJson("/v1/SegmentService/Segment", { clip: `clips/${id}`, prompt: promptOf(at, here) }));
    const candidates = await Promise.all(answer.candidates.map(async ({ mask }) => ({ png: mask.png, overlay: await overlayOf(mask.png) })));
    if (mine !== asked) return;
    here.candidates = candidates;
    say(words.found);
    showMarks();
    draw();
  } catch (refusal) {
    if (mine !== asked) return;
    here.candidates = [];
    say("");
    draw();
    throw refusal;
  }
}

// ---- what is shown beside the picture

const say = (sentence) => { element("status").textContent = sentence; };

function button(label, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = label;
  made.addEventListener("click", action);
  return made;
}

function showMarks() {
  const rows = [...marks.entries()].sort(([a], [b]) => a - b).map(([at, here]) => {
    const row = document.createElement("li");
    const go = button(words.go(at, here.list.length), () => goTo(at));
    go.setAttribute("aria-current", String(at === frame));
    row.append(go);
    return row;
  });
  element("frames").replaceChildren(...rows);
  element("none").hidden = rows.length > 0;
  const here = marks.get(frame);
  const outlines = (here?.candidates ?? []).map((_, number) => {
    const choose = button(words.outline(number + 1), () => { here.chosen = number; showMarks(); draw(); });
    choose.setAttribute("aria-pressed", String(number === here.chosen));
    choose.disabled = busy();
    return choose;
  });
  element("candidates").replaceChildren(...outlines);
  element("candidates").hidden = outlines.length < 2;
  const idle = !busy();
  element("undo").disabled = !(idle && history.length);
  element("clear").disabled = !(idle && here);
  element("remove").disabled = !(idle && marks.size);
  for (const id of ["effort", "delivery"]) element(id).disabled = !idle;
}

function showShot() {
  const host = HOSTS[shot.host] ?? shot.host;
  const word = words[shot.state];
  element("clip").textContent = document.title = shot.clip_name;
  say(typeof word === "function" ? word(host) : word);
  complain(shot.state === "FAILED" && shot.message ? { message: shot.message } : null);
  if (shot.state === "PLACED" && shot.message) say(shot.message);
  const working = shot.state === "WORKING";
  element("work").hidden = !working;
  element("stop").hidden = !working;
  element("remove").hidden = working;
  element("cancel").disabled = ["PLACED", "CANCELLED", "STATE_UNSPECIFIED"].includes(shot.state);
  if (working) element("work").replaceChildren(...(shot.job?.stages ?? []).map(stageRow));
  showMarks();
}

function stageRow(stage) {
  const row = document.createElement("div");
  const [done, all, fps] = [Number(stage.done_frame_count), Number(stage.frame_count), stage.frames_per_second];
  const title = document.createElement("span");
  const count = document.createElement("span");
  const bar = document.createElement("progress");
  const speed = document.createElement("span");
  row.className = "stage";
  speed.className = "quiet";
  title.textContent = words[stage.stage] ?? stage.stage;
  count.textContent = all ? words.frames(done, all) : "";
  bar.setAttribute("aria-label", title.textContent);
  if (all) [bar.max, bar.value] = [all, done];
  if (fps > 0 && done < all) speed.textContent = [words.speed(fps.toFixed(1)), words.left(clock((all - done) / fps))].join(" · ");
  row.append(title, count, bar, speed);
  return row;
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.ceil(seconds) % 60).padStart(2, "0")}`;

function goTo(next) {
  if (next !== frame) asked++;
  frame = next;
  element("frame").value = String(next);
  element("number").textContent = String(next);
  showMarks();
  draw();
  attempt(loadPicture);
}

// ---- events

function listenToPointer() {
  view.addEventListener("pointerdown", (event) => {
    const from = toSource(event);
    if (event.button !== 0 || busy() || from.outside) return;
    view.setPointerCapture(event.pointerId);
    drag = { from: within(from), to: within(from), start: event };
  });
  view.addEventListener("pointermove", (event) => {
    if (!drag) return;
    drag.to = within(toSource(event));
    draw();
  });
  view.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const far = Math.hypot(event.clientX - drag.start.clientX, event.clientY - drag.start.clientY);
    const made = far < DRAG_PX ? { ...drag.from, inside: !event.altKey } : { box: boxOf(drag) };
    drag = null;
    addMark(made);
  });
  view.addEventListener("pointercancel", () => { drag = null; draw(); });
}

function listenToKeys() {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  view.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    mark ??= { x: shot.clip.width / 2, y: shot.clip.height / 2 };
    if (step) {
      const far = shot.clip.height / (event.shiftKey ? 10 : 100);
      mark = within({ x: mark.x + step[0] * far, y: mark.y + step[1] * far });
    } else if (event.key === "Enter") addMark({ ...mark, inside: !event.altKey });
    else return;
    event.preventDefault();
    draw();
  });
  view.addEventListener("focus", draw);
  view.addEventListener("blur", draw);
  addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.key.toLowerCase() !== "z") return;
    event.preventDefault();
    undo();
  });
}

function listenToButtons() {
  const post = (verb, body = {}) => attempt(async () => { take(await askJson(`${url}/${verb}`, body)); });
  element("undo").addEventListener("click", undo);
  element("clear").addEventListener("click", clearFrame);
  element("stop").addEventListener("click", () => post("stop"));
  element("cancel").addEventListener("click", () => post("cancel"));
  element("remove").addEventListener("click", () => {
    element("remove").disabled = true; // a second click would be refused
    post("submit", { prompts: jobPrompts(), delivery: element("delivery").value, effort: element("effort").value }).then(showMarks);
  });
  let moved = 0;
  element("frame").addEventListener("input", (event) => {
    cancelAnimationFrame(moved);
    moved = requestAnimationFrame(() => goTo(Number(event.target.value)));
  });
}

function take(next) {
  const before = shot?.state;
  shot = next;
  if (before !== shot.state || shot.state === "WORKING") showShot();
}

// A browser connects again by itself while the server answers; where it gave up, we do.
function watch() {
  const events = new EventSource(`${url}/watch`);
  events.addEventListener("shot", (event) => take(JSON.parse(event.data)));
  events.addEventListener("error", () => {
    if (["PLACED", "CANCELLED"].includes(shot.state)) return events.close();
    say(words.lost);
    if (events.readyState === EventSource.CLOSED) setTimeout(() => attempt(async () => { take(await askJson(url)); watch(); }), 2000);
  });
  events.addEventListener("open", () => { if (shot.state !== "WAITING" || !marks.size) showShot(); });
}

async function start() {
  const code = location.hash.slice(1);
  if (code) {
    window.history.replaceState(null, "", location.pathname);
    await call("/v1/session", { code }).catch((refusal) => { if (refusal.status !== 401) throw refusal; }); // the cookie may do
  }
  shot = await askJson(url);
  const [first, count] = [Number(shot.range.start_frame), Number(shot.range.frame_count)];
  Object.assign(element("frame"), { min: String(first), max: String(first + count - 1), disabled: count < 2 });
  listenToPointer();
  listenToKeys();
  listenToButtons();
  new ResizeObserver(draw).observe(view);
  showShot();
  goTo(Number(shot.prompt_frame));
  view.focus();
  watch();
}

writeWords();
say(words.opening);
attempt(start);
