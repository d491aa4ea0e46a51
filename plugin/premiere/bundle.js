(() => {

// js/messages.js
var ENGLISH = {
  said: "{text}",
  clean: "Clean the clip under the playhead",
  restore: "Restore the original",
  export: "Export sequence as OTIO",
  cancel: "Give up this shot",
  resume: "Go on with this shot",
  folder: "Choose Cleanplate's folder",
  ready: "Park the playhead on a clip, then press the first button.",
  reading: "Reading the clip.",
  asking: "Waiting for the server.",
  openPage: "Cleanplate opens its page in your browser, where you click on what is to go.",
  waiting: "{clip}: click on what is to go, on the page in the browser ({page}).",
  working: "{clip}: {stage} {done} of {total}.",
  workingPlain: "{clip}: the server is at work.",
  placing: "{clip}: placing the clean clip.",
  left: "'{clip}' was under way when the panel was closed; go on with it, or give it up.",
  givenUp: "'{clip}' was given up; nothing was placed.",
  placed: "'{clip}' is clean: the clean clip is on V{track}, the original below it is disabled; undo once to go back.",
  placedAbove: "'{clip}' is clean: the clean clip is on V{track}, over the original; undo once to go back.",
  placedSound: " Its file carries sound, which was taken off again: undo twice to go back, and an empty audio track may remain.",
  placedEffects: " The original carries effects ({names}), which the clean clip does not: copy it and paste its attributes.",
  placedEffectsUnread: " The effects of the original could not be read: compare the two clips.",
  restored: "'{clip}' shows the original again; undo once to go back to the clean clip.",
  exported: "'{sequence}' is written to {path}; see its clips with `cleanplate timeline list {path}`.",
  noProject: "no project is open in Premiere; open one",
  noSequence: "no sequence is open in Premiere; open one and park the playhead on a clip",
  sequenceGone: "sequence '{sequence}' is not in the open project; open the project that the shot was taken from",
  noAnswer: "Premiere did not answer {call} ({why}); put the playhead on the clip and try again",
  stale: "clip '{clip}' was edited since it was sent, so nothing was placed; clean it again as it now stands",
  noMedia: "{path} is not there or cannot be imported, so nothing was placed; look at the server's message",
  wrongRate: "the clean file has {rate} frames a second where '{clip}' has {wanted}, so nothing was placed; clean it again",
  tooShort: "the clean file is too short for '{clip}' ({have} of {need} ticks), so nothing was placed; clean it again",
  covered: "'{name}' on V{track} lies over '{clip}', so the clean clip would hide it; move it up a track and try again",
  refused: "Premiere refused ({why}), so nothing was placed; see that the project may be written and no track is locked",
  undone: "Premiere placed something else than it was asked to ({why}), so it was taken out again; please report it",
  damaged: "Premiere changed more than it was asked to ({why}); choose Edit > Undo until the clip is as it was",
  notOurs: "there is no clean clip of ours under the playhead; park it on one",
  notRestored: "Premiere refused to restore ({why}), so nothing was changed; see that no track is locked",
  originalGone: "the original of '{clip}' is no longer below it, so nothing was changed; remove the clean clip by hand",
  noFolder: "choose the folder in which Cleanplate keeps its state; `cleanplate doctor` shows it, usually {path}",
  noServer: "no Cleanplate server answers; start one with `cleanplate serve` and try again",
  serverGone: "the server went away while it worked; start it with `cleanplate serve`, then go on with this shot",
  badConnection: "{folder} holds no address of a running server; start one with `cleanplate serve`",
  shotGone: "the server no longer knows this shot; clean the clip again",
  noExport: "Premiere could not write {path}; choose another folder",
  tooOld: "Premiere {version} cannot write OpenTimelineIO for panels; update it to 25.6 or later"
};
var CHINESE = {
  said: "{text}",
  clean: "清理播放头下的剪辑",
  restore: "恢复原片",
  export: "将序列导出为 OTIO",
  cancel: "放弃此镜头",
  resume: "继续此镜头",
  folder: "选择 Cleanplate 文件夹",
  ready: "把播放头停在一个剪辑上，然后按第一个按钮。",
  reading: "正在读取剪辑。",
  asking: "正在等待服务器。",
  openPage: "Cleanplate 会在浏览器中打开页面，请在上面点击要移除的物体。",
  waiting: "{clip}：请在浏览器页面上点击要移除的物体（{page}）。",
  working: "{clip}：{stage} {done} / {total}。",
  workingPlain: "{clip}：服务器正在处理。",
  placing: "{clip}：正在放置干净的剪辑。",
  left: "面板关闭时“{clip}”尚未完成；请继续或放弃。",
  givenUp: "已放弃“{clip}”；没有放置任何内容。",
  placed: "“{clip}”已清理：干净的剪辑在 V{track}，下方的原片已停用；撤销一次即可还原。",
  placedAbove: "“{clip}”已清理：干净的剪辑在 V{track}，覆盖在原片之上；撤销一次即可还原。",
  placedSound: " 其文件带有声音，已再次移除：需撤销两次才能还原，可能会留下一条空的音频轨道。",
  placedEffects: " 原片带有效果（{names}），干净的剪辑没有：请复制原片并粘贴属性。",
  placedEffectsUnread: " 无法读取原片的效果：请比较两个剪辑。",
  restored: "“{clip}”已恢复显示原片；撤销一次即可回到干净的剪辑。",
  exported: "“{sequence}”已写入 {path}；请用 `cleanplate timeline list {path}` 查看其中的剪辑。",
  noProject: "Premiere 中没有打开的项目；请打开一个",
  noSequence: "Premiere 中没有打开的序列；请打开一个并把播放头停在剪辑上",
  sequenceGone: "打开的项目中没有序列“{sequence}”；请打开该镜头所在的项目",
  noAnswer: "Premiere 没有回答 {call}（{why}）；请把播放头放到剪辑上再试",
  stale: "剪辑“{clip}”在发送之后被编辑过，因此没有放置任何内容；请按现在的样子重新清理",
  noMedia: "{path} 不存在或无法导入，因此没有放置任何内容；请查看服务器的消息",
  wrongRate: "干净的文件为每秒 {rate} 帧，而“{clip}”为 {wanted} 帧，因此没有放置任何内容；请重新清理",
  tooShort: "干净的文件对“{clip}”来说太短（{have} / {need} 个时间单位），因此没有放置任何内容；请重新清理",
  covered: "V{track} 上的“{name}”位于“{clip}”之上，会被干净的剪辑遮住；请把它上移一条轨道再试",
  refused: "Premiere 拒绝了操作（{why}），因此没有放置任何内容；请确认项目可写且没有锁定的轨道",
  undone: "Premiere 放置的内容与要求不符（{why}），因此已再次移除；请报告此问题",
  damaged: "Premiere 更改的内容超出了要求（{why}）；请选择“编辑 > 撤销”，直到剪辑恢复原状",
  notOurs: "播放头下没有我们的干净剪辑；请把播放头停在其中一个上",
  notRestored: "Premiere 拒绝恢复（{why}），因此没有任何更改；请确认没有锁定的轨道",
  originalGone: "“{clip}”的原片已不在其下方，因此没有任何更改；请手动移除干净的剪辑",
  noFolder: "请选择 Cleanplate 保存状态的文件夹；`cleanplate doctor` 会显示它，通常是 {path}",
  noServer: "没有 Cleanplate 服务器应答；请用 `cleanplate serve` 启动后再试",
  serverGone: "服务器在工作时退出了；请用 `cleanplate serve` 启动它，然后继续此镜头",
  badConnection: "{folder} 中没有正在运行的服务器的地址；请用 `cleanplate serve` 启动一个",
  shotGone: "服务器已不认识此镜头；请重新清理该剪辑",
  noExport: "Premiere 无法写入 {path}；请选择其他文件夹",
  tooOld: "Premiere {version} 不能为面板写入 OpenTimelineIO；请更新到 25.6 或更高版本"
};
var PanelError = class extends Error {
  /**
   * @param {Code} code
   * @param {Values} [values]
   */
  constructor(code, values = {}) {
    super(fill(ENGLISH[code], values));
    this.code = code;
    this.values = values;
  }
};
function say(locale, code, values = {}) {
  return fill((locale.toLowerCase().startsWith("zh") ? CHINESE : ENGLISH)[code], values);
}
function sayError(locale, error) {
  return error instanceof PanelError ? say(locale, error.code, error.values) : wordsOf(error);
}
function wordsOf(error) {
  const words = error instanceof Error ? error.message || error.name : String(error);
  return words.split("\n")[0];
}
function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

// js/connection.js
var FOLDER_KEY = "cleanplate.state-folder";
var USUAL_FOLDER = {
  darwin: "~/Library/Application Support/cleanplate",
  win32: "%LOCALAPPDATA%\\cleanplate"
};
var ADDRESS = /^127\.0\.0\.1:478(1[0-9])$/;
async function chooseFolder(files, keeper) {
  const folder = await files.getFolder();
  if (!folder) return false;
  await readFolder(folder);
  keeper.setItem(FOLDER_KEY, await files.createPersistentToken(folder));
  return true;
}
async function readConnection(files, keeper, usual) {
  const kept = keeper.getItem(FOLDER_KEY);
  if (!kept) throw new PanelError("noFolder", { path: usual });
  let folder;
  try {
    folder = /** @type {UxpFolder} */
    await files.getEntryForPersistentToken(kept);
  } catch {
    keeper.removeItem(FOLDER_KEY);
    throw new PanelError("noFolder", { path: usual });
  }
  return readFolder(folder);
}
async function readFolder(folder) {
  try {
    const { gateway } = JSON.parse(await textOf(folder, "server.json"));
    const token = (await textOf(folder, "token")).trim();
    if (token && typeof gateway === "string" && ADDRESS.test(gateway)) return { address: gateway, token };
  } catch {
  }
  throw new PanelError("badConnection", { folder: folder.nativePath });
}
async function textOf(folder, name) {
  return (
    /** @type {UxpFile} */
    (await folder.getEntry(name)).read()
  );
}

// js/ticks.js
var TICKS_PER_SECOND = 254016000000n;
var RATE_SLACK = 1e-3;
function ticksOf(time) {
  return BigInt(time.ticks);
}
function timeOf(ppro2, ticks) {
  return ppro2.TickTime.createWithTicks(ticks.toString());
}
function footageTicks(rate) {
  if (!(rate >= 1 && rate <= 1e3)) return null;
  const whole = Math.round(rate);
  const timed = Math.ceil(rate);
  const half = Math.round(rate * 2);
  const candidates = [
    [whole, TICKS_PER_SECOND / BigInt(whole)],
    [timed * 1e3 / 1001, TICKS_PER_SECOND * 1001n / BigInt(timed * 1e3)],
    [half / 2, TICKS_PER_SECOND * 2n / BigInt(half)]
  ];
  candidates.sort((a, b) => Math.abs(a[0] - rate) - Math.abs(b[0] - rate));
  return Math.abs(candidates[0][0] - rate) <= RATE_SLACK ? candidates[0][1] : null;
}

// js/host.js
var DROP_FRAME_DISPLAYS = [102, 106];
async function ask(call, question) {
  try {
    return await question();
  } catch (error) {
    throw new PanelError("noAnswer", { call, why: wordsOf(error) });
  }
}
async function openProject(ppro2) {
  const project = await ask("getActiveProject", () => ppro2.Project.getActiveProject());
  if (!project) throw new PanelError("noProject");
  return project;
}
async function activeSequence(project) {
  const sequence = await ask("getActiveSequence", () => project.getActiveSequence());
  if (!sequence) throw new PanelError("noSequence");
  return sequence;
}
async function sequenceOf(project, told) {
  const sequences = await ask("getSequences", () => project.getSequences());
  const found = sequences.find((sequence) => sequence.guid.toString() === told.id);
  if (!found) throw new PanelError("sequenceGone", { sequence: told.name });
  return found;
}
async function collectFacts(ppro2, version) {
  const sequence = await activeSequence(await openProject(ppro2));
  const told = await sequenceFacts(sequence);
  const clip = meant(await clipsAt(ppro2, sequence, BigInt(told.player_ticks)));
  return clip ? { version, sequence: told, item: await itemFacts(ppro2, sequence, clip.clip) } : { version, sequence: told };
}
async function collectAgain(ppro2, before) {
  const sequence = await sequenceOf(await openProject(ppro2), before.sequence);
  const told = await sequenceFacts(sequence);
  const clip = await findClip(ppro2, sequence, before);
  const facts = { version: before.version, sequence: { ...before.sequence, ticks_per_frame: told.ticks_per_frame } };
  return clip ? { ...facts, item: await itemFacts(ppro2, sequence, clip) } : facts;
}
async function findClip(ppro2, sequence, facts) {
  const told = facts.item;
  if (!told || told.track_index >= await videoTrackCount(sequence)) return void 0;
  const clips = await clipsOn(ppro2, sequence, told.track_index);
  return clips.find((clip) => clip.start === BigInt(told.start_ticks) && clip.end === BigInt(told.end_ticks));
}
async function clipsOn(ppro2, sequence, trackIndex) {
  const track = await ask("getVideoTrack", () => sequence.getVideoTrack(trackIndex));
  return placesOf(await itemsOf(track, ppro2.Constants.TrackItemType.CLIP), trackIndex);
}
async function videoTrackCount(sequence) {
  return ask("getVideoTrackCount", () => sequence.getVideoTrackCount());
}
function castClip(ppro2, item) {
  if (!item) return null;
  try {
    return ppro2.ClipProjectItem.cast(item) || null;
  } catch {
    return null;
  }
}
async function sequenceFacts(sequence) {
  const zero = ticksOf(await ask("getZeroPoint", () => sequence.getZeroPoint()));
  const end = ticksOf(await ask("getEndTime", () => sequence.getEndTime()));
  const position = ticksOf(await ask("getPlayerPosition", () => sequence.getPlayerPosition()));
  const display = await ask("getSequenceVideoTimeDisplayFormat", () => sequence.getSequenceVideoTimeDisplayFormat());
  return {
    id: sequence.guid.toString(),
    name: sequence.name,
    ticks_per_frame: BigInt(await ask("getTimebase", () => sequence.getTimebase())).toString(),
    zero_ticks: zero.toString(),
    drop_frame: DROP_FRAME_DISPLAYS.includes(display.type),
    // Documented from the sequence's start. A position beyond the end that fits without the zero point was told with it.
    player_ticks: (zero > 0n && position >= end && position >= zero ? position - zero : position).toString(),
    ...await inAndOut(sequence),
    video_track_count: await videoTrackCount(sequence)
  };
}
async function inAndOut(sequence) {
  const first = setPoint(await ask("getInPoint", () => sequence.getInPoint()));
  const stop = setPoint(await ask("getOutPoint", () => sequence.getOutPoint()));
  if (first !== null && stop !== null && stop <= first) return {};
  return {
    ...first === null ? {} : { in_ticks: first.toString() },
    ...stop === null ? {} : { out_ticks: stop.toString() }
  };
}
function setPoint(time) {
  const ticks = time ? ticksOf(time) : -1n;
  return ticks < 0n ? null : ticks;
}
async function clipsAt(ppro2, sequence, position) {
  const found = [];
  const count = await videoTrackCount(sequence);
  for (let index = 0; index < count; index++) {
    for (const clip of await clipsOn(ppro2, sequence, index)) {
      if (clip.start > position || position >= clip.end) continue;
      const selected = await ask("getIsSelected", () => clip.item.getIsSelected());
      const disabled = await ask("isDisabled", () => clip.item.isDisabled());
      found.push({ clip, selected, disabled });
    }
  }
  return found;
}
function meant(standing) {
  const selected = standing.filter((each) => each.selected);
  if (selected.length === 1) return selected[0];
  const seen = standing.filter((each) => !each.disabled);
  return (seen.length ? seen : standing).at(-1);
}
async function itemFacts(ppro2, sequence, { item, trackIndex, start, end }) {
  const track = await ask("getVideoTrack", () => sequence.getVideoTrack(trackIndex));
  const locked = await lockOf(track);
  return {
    id: `${trackIndex}@${start}`,
    name: await ask("getName", () => item.getName()),
    track_index: trackIndex,
    ...locked === null ? {} : { track_locked: locked },
    disabled: await ask("isDisabled", () => item.isDisabled()),
    start_ticks: start.toString(),
    end_ticks: end.toString(),
    in_ticks: ticksOf(await ask("getInPoint", () => item.getInPoint())).toString(),
    out_ticks: ticksOf(await ask("getOutPoint", () => item.getOutPoint())).toString(),
    speed: await ask("getSpeed", () => item.getSpeed()),
    reversed: Boolean(await ask("isSpeedReversed", () => item.isSpeedReversed())),
    adjustment_layer: await ask("isAdjustmentLayer", () => item.isAdjustmentLayer()),
    ...await mediaFacts(ppro2, await ask("getProjectItem", () => item.getProjectItem())),
    transitions: await transitionsOn(ppro2, track, start, end)
  };
}
async function mediaFacts(ppro2, projectItem) {
  const none = {
    has_media: false,
    is_sequence: false,
    is_multicam: false,
    is_offline: false,
    is_merged: false,
    is_subclip: false,
    media_path: "",
    project_item_id: projectItem ? projectItem.getId() : "",
    media_frame_rate: 0,
    media_start_ticks: "0",
    media_duration_ticks: "0"
  };
  const clip = castClip(ppro2, projectItem);
  if (!projectItem || !clip) return none;
  const kinds = {
    is_sequence: await ask("isSequence", () => clip.isSequence()),
    is_multicam: await ask("isMulticamClip", () => clip.isMulticamClip()),
    is_merged: await ask("isMergedClip", () => clip.isMergedClip())
  };
  if (kinds.is_sequence || kinds.is_multicam || kinds.is_merged) return { ...none, ...kinds };
  const path = await ask("getMediaFilePath", () => clip.getMediaFilePath());
  if (!path) return { ...none, ...kinds };
  const offline = await ask("isOffline", () => clip.isOffline());
  if (offline) return { ...none, ...kinds, has_media: true, is_offline: true, media_path: path };
  const media = await ask("getMedia", () => clip.getMedia());
  return {
    ...none,
    ...kinds,
    has_media: true,
    is_subclip: await isSubclip(clip, projectItem, path),
    media_path: path,
    media_frame_rate: await footageRate(clip),
    media_start_ticks: ticksOf(media.start).toString(),
    media_duration_ticks: ticksOf(media.duration).toString()
  };
}
async function footageRate(clip) {
  const footage = await ask("getFootageInterpretation", () => clip.getFootageInterpretation());
  return footage.getFrameRate();
}
async function isSubclip(clip, projectItem, path) {
  const call = "findItemsMatchingMediaPath";
  const id = projectItem.getId();
  const all = await ask(call, () => clip.findItemsMatchingMediaPath(path, false));
  const whole = await ask(call, () => clip.findItemsMatchingMediaPath(path, true));
  return all.some((item) => item.getId() === id) && !whole.some((item) => item.getId() === id);
}
async function transitionsOn(ppro2, track, start, end) {
  const items = await itemsOf(track, ppro2.Constants.TrackItemType.TRANSITION);
  return (await placesOf(items, 0)).filter((each) => each.start <= end && start <= each.end).map((each) => ({ start_ticks: each.start.toString(), end_ticks: each.end.toString() }));
}
async function itemsOf(track, type) {
  return ask("getTrackItems", () => track.getTrackItems(type, false));
}
async function placesOf(items, trackIndex) {
  const places = [];
  for (const item of items) {
    const start = ticksOf(await ask("getStartTime", () => item.getStartTime()));
    const end = ticksOf(await ask("getEndTime", () => item.getEndTime()));
    places.push({ item, trackIndex, start, end });
  }
  return places;
}
async function lockOf(track) {
  const { isLocked } = (
    /** @type {VideoTrack & { isLocked?: () => Promise<boolean> }} */
    track
  );
  return isLocked ? ask("isLocked", () => isLocked.call(track)) : null;
}

// js/exporting.js
async function exportOtio(ppro2, files, version) {
  const converter = (
    /** @type {premierepro["ProjectConverter"] | undefined} */
    ppro2.ProjectConverter
  );
  if (!converter || !converter.exportAsOpenTimelineIO) throw new PanelError("tooOld", { version });
  const sequence = await activeSequence(await openProject(ppro2));
  const file = await files.getFileForSaving(`${sequence.name}.otio`, { types: ["otio"] });
  if (!file) return [];
  const path = file.nativePath;
  const done = await ask("exportAsOpenTimelineIO", () => converter.exportAsOpenTimelineIO(sequence, path, true));
  if (!done) throw new PanelError("noExport", { path });
  return [["exported", { sequence: sequence.name, path }]];
}

// js/gateway.js
var PAUSES_MILLISECONDS = [250, 500, 1e3, 2e3, 4e3];
var CALL_MILLISECONDS = 6e4;
var RefusedError = class extends PanelError {
  /**
   * @param {number} status
   * @param {string} reason
   * @param {string} sentence
   */
  constructor(status, reason, sentence) {
    super("said", { text: sentence });
    this.status = status;
    this.reason = reason;
  }
};
var Gateway = class {
  /** @param {GatewayParts} parts */
  constructor(parts) {
    this.parts = parts;
  }
  /**
   * Tells what stands under the playhead.
   * @param {Facts} facts
   * @returns {Promise<Shot>}
   */
  async announce(facts) {
    return this.#call("POST", "/v1/shots", { premiere: facts });
  }
  /**
   * Where a shot stands.
   * @param {string} name `shots/ID`
   * @returns {Promise<Shot>}
   */
  async shot(name) {
    return this.#call("GET", `/v1/${name}`);
  }
  /**
   * Asks whether a clip is still what it was.
   * @param {string} name `shots/ID`
   * @param {Facts} facts as they are now
   * @returns {Promise<Shot>}
   */
  async check(name, facts) {
    return this.#call("POST", `/v1/${name}/check`, { name, premiere: facts });
  }
  /**
   * Says what became of a shot.
   * @param {string} name `shots/ID`
   * @param {"PLACED" | "FAILED" | "CANCELLED"} state
   * @param {string} message one sentence
   * @returns {Promise<Shot>}
   */
  async report(name, state, message) {
    return this.#call("POST", `/v1/${name}/report`, { name, state, message });
  }
  /**
   * A page of the gateway as an address for the browser.
   * @param {string} path as the shot gives it
   */
  async pageAddress(path) {
    const { address } = await this.parts.connect();
    return `http://${address}${path.startsWith("/") ? "" : "/"}${path}`;
  }
  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<Shot>}
   */
  async #call(method, path, body) {
    let response = await this.#try(method, path, body);
    for (const pause of PAUSES_MILLISECONDS) {
      if (response) break;
      await this.parts.wait(pause);
      response = await this.#try(method, path, body);
    }
    if (!response) throw new PanelError("noServer");
    const text = await response.text();
    if (response.ok) return JSON.parse(text);
    throw refusalOf(response.status, text);
  }
  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<Response | null>} null when nobody answered
   */
  async #try(method, path, body) {
    const { address, token } = await this.parts.connect();
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), CALL_MILLISECONDS);
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    try {
      const request = { method, headers, signal: abort.signal, ...body ? { body: JSON.stringify(body) } : {} };
      return await this.parts.fetch(`http://${address}${path}`, request);
    } catch {
      return null;
    } finally {
      clearTimeout(timer);
    }
  }
};
function refusalOf(status, text) {
  try {
    const { reason, message } = JSON.parse(text).error;
    return new RefusedError(status, String(reason), String(message));
  } catch {
    return new RefusedError(status, "", `the gateway answered ${status} and nothing that can be read; see its log`);
  }
}

// js/timeline.js
async function readTimeline(ppro2, sequence) {
  const video2 = [];
  const videoCount = await videoTrackCount(sequence);
  for (let index = 0; index < videoCount; index++) {
    const items = (await clipsOn(ppro2, sequence, index)).map((clip) => clip.item);
    video2.push(await entriesOf(ppro2, items, index));
  }
  const audio = [];
  const audioCount = await ask("getAudioTrackCount", () => sequence.getAudioTrackCount());
  for (let index = 0; index < audioCount; index++) {
    const track = await ask("getAudioTrack", () => sequence.getAudioTrack(index));
    const items = await ask("getTrackItems", () => track.getTrackItems(ppro2.Constants.TrackItemType.CLIP, false));
    audio.push(await entriesOf(ppro2, items, index));
  }
  return { video: video2, audio };
}
function difference(before, after) {
  const had = new Set(before.flat().map(signature));
  const has = new Set(after.flat().map(signature));
  return {
    added: after.flat().filter((entry) => !had.has(signature(entry))),
    gone: before.flat().filter((entry) => !has.has(signature(entry)))
  };
}
function signature(entry) {
  const { trackIndex, start, end, inPoint, disabled, projectItemId } = entry;
  return [trackIndex, start, end, inPoint, disabled, projectItemId].join("|");
}
function change(project, name, make) {
  let failure = new PanelError("said", { text: "it answered false" });
  project.lockedAccess(() => {
    try {
      const actions = make();
      const done = project.executeTransaction((compound) => actions.forEach((each) => compound.addAction(each)), name);
      if (done) failure = null;
    } catch (error) {
      failure = error;
    }
  });
  if (failure !== null) throw failure;
}
function changeSelected(ppro2, project, name, entries, make) {
  change(project, name, () => {
    let actions = [];
    ppro2.TrackItemSelection.createEmptySelection((selection) => {
      entries.forEach((entry) => selection.addItem(entry.item, false));
      actions = make(selection);
    });
    return actions;
  });
}
function removeItems(ppro2, project, sequence, { name, entries, sound = false, more = () => [] }) {
  const editor = ppro2.SequenceEditor.getEditor(sequence);
  const { AUDIO, VIDEO } = ppro2.Constants.MediaType;
  changeSelected(ppro2, project, name, entries, (selection) => [
    editor.createRemoveItemsAction(selection, false, sound ? AUDIO : VIDEO, false),
    ...more()
  ]);
}
async function entriesOf(ppro2, items, trackIndex) {
  const entries = [];
  for (const item of items) {
    const projectItem = await ask("getProjectItem", () => item.getProjectItem());
    const clip = castClip(ppro2, projectItem);
    entries.push({
      item,
      trackIndex,
      name: await ask("getName", () => item.getName()),
      start: ticksOf(await ask("getStartTime", () => item.getStartTime())),
      end: ticksOf(await ask("getEndTime", () => item.getEndTime())),
      inPoint: ticksOf(await ask("getInPoint", () => item.getInPoint())),
      disabled: await ask("isDisabled", () => item.isDisabled()),
      projectItemId: projectItem ? projectItem.getId() : "",
      mediaPath: clip ? await ask("getMediaFilePath", () => clip.getMediaFilePath()) : ""
    });
  }
  return entries;
}

// js/media.js
var LOOKS = 20;
var LOOK_MILLISECONDS = 250;
async function prepareMedia(ppro2, { placement, original, ticksPerFrame, wait: wait2 }) {
  const projectItem = await imported(ppro2, placement.path, wait2);
  const clip = (
    /** @type {ClipProjectItem} */
    castClip(ppro2, projectItem)
  );
  const frame = await commonFrame(clip, original);
  const inPoint = BigInt(placement.start_frame) * frame + withinFrame(placement, original, ticksPerFrame, frame);
  const length = BigInt(placement.record_frame_count) * ticksPerFrame;
  const media = await ask("getMedia", () => clip.getMedia());
  const fileLength = ticksOf(media.duration);
  const mediaStart = ticksOf(media.start);
  if (inPoint + length > fileLength) {
    const values = { clip: original.name, have: fileLength.toString(), need: (inPoint + length).toString() };
    throw new PanelError("tooShort", values);
  }
  const prepared = { projectItemId: projectItem.getId(), inPoint, length, fileLength, mediaStart };
  await setPoints(ppro2, placement, prepared);
  return prepared;
}
async function findProjectItem(ppro2, project, wanted) {
  const folders = [await ask("getRootItem", () => project.getRootItem())];
  for (let folder = folders.shift(); folder; folder = folders.shift()) {
    const items = await ask("getItems", () => (
      /** @type {NonNullable<typeof folder>} */
      folder.getItems()
    ));
    for (const item of items) {
      if (await wanted(item)) return item;
      if (item.type === ppro2.ProjectItem.TYPE_BIN) folders.push(ppro2.FolderItem.cast(item));
    }
  }
  return null;
}
async function imported(ppro2, path, wait2) {
  const there = await findByPath(ppro2, path);
  if (there) return there;
  const project = await openProject(ppro2);
  const root = ppro2.ProjectItem.cast(await ask("getRootItem", () => project.getRootItem()));
  await ask("importFiles", () => project.importFiles([path], true, root, false));
  for (let look = 0; look < LOOKS; look++) {
    const found = await findByPath(ppro2, path);
    if (found) return found;
    await wait2(LOOK_MILLISECONDS);
  }
  throw new PanelError("noMedia", { path });
}
async function findByPath(ppro2, path) {
  const wanted = comparable(path);
  return findProjectItem(ppro2, await openProject(ppro2), async (item) => {
    const clip = castClip(ppro2, item);
    if (!clip || await ask("isSequence", () => clip.isSequence())) return false;
    if (comparable(await ask("getMediaFilePath", () => clip.getMediaFilePath())) !== wanted) return false;
    return !await ask("isOffline", () => clip.isOffline());
  });
}
function comparable(path) {
  return path.replace(/^\\\\\?\\/, "").replaceAll("\\", "/").normalize("NFC");
}
async function commonFrame(clip, original) {
  const rate = await footageRate(clip);
  const frame = footageTicks(rate);
  if (frame === null || frame !== footageTicks(original.media_frame_rate)) {
    throw new PanelError("wrongRate", { clip: original.name, rate, wanted: original.media_frame_rate });
  }
  return frame;
}
function withinFrame(placement, original, ticksPerFrame, frame) {
  return (BigInt(original.in_ticks) + BigInt(placement.record_offset) * ticksPerFrame) % frame;
}
async function setPoints(ppro2, placement, { projectItemId, inPoint, length, mediaStart }) {
  const { VIDEO } = ppro2.Constants.MediaType;
  const clear = await clipById(ppro2, projectItemId, placement.path);
  attempt(clear.project, `${placement.marker_name}: clear in and out`, () => [clear.clip.createClearInOutPointsAction()]);
  const set = await clipById(ppro2, projectItemId, placement.path);
  const told = ticksOf(await ask("getInPoint", () => set.clip.getInPoint(VIDEO)));
  const first = (told === mediaStart ? mediaStart : 0n) + inPoint;
  attempt(set.project, `${placement.marker_name}: set in and out`, () => [
    set.clip.createSetInOutPointsAction(timeOf(ppro2, first), timeOf(ppro2, first + length))
  ]);
}
async function clipById(ppro2, id, path) {
  const project = await openProject(ppro2);
  const item = await findProjectItem(ppro2, project, (each) => each.getId() === id);
  const clip = castClip(ppro2, item);
  if (!clip) throw new PanelError("noMedia", { path });
  return { project, clip };
}
function attempt(project, name, make) {
  try {
    change(project, name, make);
  } catch (error) {
    throw new PanelError("refused", { why: wordsOf(error) });
  }
}

// js/effects.js
var PATIENCE_MILLISECONDS = 2e3;
async function differingEffects(ppro2, original, clean) {
  try {
    return await inTime(differing(ppro2, original, clean));
  } catch {
    return null;
  }
}
async function differing(ppro2, original, clean) {
  const plain = /* @__PURE__ */ new Map();
  for (const component of await componentsOf(clean)) {
    plain.set(await component.getMatchName(), await valuesOf(ppro2, component));
  }
  const names2 = [];
  for (const component of await componentsOf(original)) {
    const values = await valuesOf(ppro2, component);
    if (plain.get(await component.getMatchName()) !== values) names2.push(await component.getDisplayName());
  }
  return names2;
}
async function componentsOf(item) {
  const chain = await item.getComponentChain();
  return Array.from({ length: chain.getComponentCount() }, (_, index) => chain.getComponentAtIndex(index));
}
async function valuesOf(ppro2, component) {
  const values = [];
  for (let index = 0; index < component.getParamCount(); index++) {
    const param = component.getParam(index);
    values.push(param.isTimeVarying() ? "keyframes" : await param.getValueAtTime(ppro2.TickTime.TIME_ZERO));
  }
  return JSON.stringify(values);
}
async function inTime(answer) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer")), PATIENCE_MILLISECONDS);
  });
  try {
    return (
      /** @type {T} */
      await Promise.race([answer, late])
    );
  } finally {
    clearTimeout(timer);
  }
}

// js/record.js
function addMarkerAction(ppro2, markers, { plan, placement }) {
  const record = {
    cleanplate: placement.marker_data,
    item: plan.media.projectItemId,
    track: plan.original.trackIndex,
    start: plan.original.start.toString(),
    disabled: plan.disable
  };
  const comments = `${placement.marker_note}
${JSON.stringify(record)}`;
  const [start, duration] = [timeOf(ppro2, plan.start), timeOf(ppro2, plan.end - plan.start)];
  const type = ppro2.Marker.MARKER_TYPE_COMMENT;
  return markers.createAddMarkerAction(placement.marker_name, type, start, duration, comments);
}
function recordOf(marker) {
  const line = marker.getComments().trim().split("\n").at(-1) ?? "";
  if (!line.startsWith("{")) return null;
  try {
    const record = JSON.parse(line);
    return typeof record.cleanplate === "string" && typeof record.item === "string" ? record : null;
  } catch {
    return null;
  }
}
function isRecordOf(marker, plan) {
  const record = recordOf(marker);
  return record !== null && record.item === plan.media.projectItemId && ticksOf(marker.getStart()) === plan.start;
}

// js/place.js
async function placeTake(ppro2, { facts, placement, wait: wait2 }) {
  const original = (
    /** @type {ItemFacts} */
    facts.item
  );
  const ticksPerFrame = BigInt(facts.sequence.ticks_per_frame);
  await refuseEdited(ppro2, facts);
  const media = await prepareMedia(ppro2, { placement, original, ticksPerFrame, wait: wait2 });
  await refuseEdited(ppro2, facts);
  const { project, sequence } = await handles(ppro2, facts);
  const before = await readTimeline(ppro2, sequence);
  const plan = planned(before, facts, placement, media);
  await overwrite(ppro2, { project, sequence, facts, before, plan, placement });
  const hadSound = await settle(ppro2, facts, before, plan);
  return tell(ppro2, facts, plan, hadSound);
}
function planned(before, facts, placement, media) {
  const told = (
    /** @type {ItemFacts} */
    facts.item
  );
  const tick = BigInt(facts.sequence.ticks_per_frame);
  const start = BigInt(told.start_ticks) + BigInt(placement.record_offset) * tick;
  const end = start + media.length;
  const reach = start + media.fileLength;
  const original = before.video[told.track_index].find((entry) => entry.start === BigInt(told.start_ticks));
  if (!original) throw new PanelError("stale", { clip: told.name });
  let trackIndex = told.track_index + 1;
  for (; trackIndex < before.video.length; trackIndex++) {
    const track = before.video[trackIndex];
    if (!track.some((entry) => overlaps(entry, start, reach))) break;
    const over = track.find((entry) => !entry.disabled && overlaps(entry, start, end));
    if (over) throw new PanelError("covered", { name: over.name, track: trackIndex + 1, clip: told.name });
  }
  const disable = placement.whole_clip && placement.delivery === "DELIVERY_PLATE";
  return { clip: told.name, trackIndex, start, end, original, disable, media };
}
async function overwrite(ppro2, { project, sequence, facts, before, plan, placement }) {
  const { projectItemId } = plan.media;
  const item = await findProjectItem(ppro2, project, (each) => each.getId() === projectItemId);
  if (!item) throw new PanelError("noMedia", { path: placement.path });
  const markers = await ppro2.Markers.getMarkers(sequence);
  const editor = ppro2.SequenceEditor.getEditor(sequence);
  const audioIndex = before.audio.length;
  try {
    change(project, `Cleanplate: ${plan.clip}`, () => [
      editor.createOverwriteItemAction(item, timeOf(ppro2, plan.start), plan.trackIndex, audioIndex),
      ...switchAction(plan.original, plan.disable),
      addMarkerAction(ppro2, markers, { plan, placement })
    ]);
  } catch (error) {
    await undoPlacing(ppro2, { facts, before, plan, why: wordsOf(error), code: "refused" });
  }
}
async function settle(ppro2, facts, before, plan) {
  let hadSound = false;
  try {
    hadSound = await takeOffSound(ppro2, facts, before, plan);
  } catch (error) {
    await undoPlacing(ppro2, { facts, before, plan, why: wordsOf(error), code: "undone" });
  }
  const { sequence } = await handles(ppro2, facts);
  const why = wrongWith(before, await readTimeline(ppro2, sequence), plan);
  if (why) await undoPlacing(ppro2, { facts, before, plan, why, code: "undone" });
  return hadSound;
}
function wrongWith(before, after, plan) {
  const picture = difference(before.video, after.video);
  const sound = difference(before.audio, after.audio);
  if (sound.added.length || sound.gone.length) return `audio changed: ${names([...sound.gone, ...sound.added])}`;
  const { inPoint, mediaStart } = plan.media;
  const placed = picture.added.filter((entry) => entry.projectItemId === plan.media.projectItemId);
  if (placed.length !== 1) return `${placed.length} clean clips`;
  const [clean] = placed;
  if (clean.trackIndex !== plan.trackIndex) return `on V${clean.trackIndex + 1} instead of V${plan.trackIndex + 1}`;
  if (clean.start !== plan.start || clean.end !== plan.end) return `${clean.start}-${clean.end} ticks on the sequence`;
  if (clean.inPoint !== inPoint && clean.inPoint !== inPoint + mediaStart) return `in point ${clean.inPoint} ticks`;
  if (clean.disabled) return "the clean clip is disabled";
  const switched = signature({ ...plan.original, disabled: plan.disable || plan.original.disabled });
  const others = picture.added.filter((entry) => entry !== clean && signature(entry) !== switched);
  const lost = picture.gone.filter((entry) => !plan.disable || signature(entry) !== signature(plan.original));
  if (others.length || lost.length) return `other clips changed: ${names([...lost, ...others])}`;
  return after.video.flat().some((entry) => signature(entry) === switched) ? "" : "the original is not disabled";
}
async function undoPlacing(ppro2, { facts, before, plan, why, code }) {
  try {
    await takeBackPicture(ppro2, facts, before, plan);
    await takeOffSound(ppro2, facts, before, plan);
  } catch (error) {
    throw new PanelError("damaged", { why: `${why}; ${wordsOf(error)}` });
  }
  const { sequence } = await handles(ppro2, facts);
  const after = await readTimeline(ppro2, sequence);
  const changes = [difference(before.video, after.video), difference(before.audio, after.audio)];
  if (changes.some((each) => each.added.length || each.gone.length)) throw new PanelError("damaged", { why });
  throw new PanelError(code, { why });
}
async function takeBackPicture(ppro2, facts, before, plan) {
  const { project, sequence } = await handles(ppro2, facts);
  const picture = difference(before.video, (await readTimeline(ppro2, sequence)).video).added;
  const ours = picture.filter((entry) => isOurs(entry, plan));
  const original = picture.find((entry) => sameButSwitch(entry, plan.original));
  const markers = await ppro2.Markers.getMarkers(sequence);
  const added = markers.getMarkers().filter((marker) => isRecordOf(marker, plan));
  const back = () => [
    ...original ? switchAction(original, plan.original.disabled) : [],
    ...added.map((marker) => markers.createRemoveMarkerAction(marker))
  ];
  const name = "Cleanplate: take back";
  if (ours.length) removeItems(ppro2, project, sequence, { name, entries: ours, more: back });
  else if (original || added.length) change(project, name, back);
}
async function takeOffSound(ppro2, facts, before, plan) {
  const { project, sequence } = await handles(ppro2, facts);
  const { added } = difference(before.audio, (await readTimeline(ppro2, sequence)).audio);
  const entries = added.filter((entry) => isOurs(entry, plan));
  if (entries.length) removeItems(ppro2, project, sequence, { name: "Cleanplate: sound", entries, sound: true });
  return entries.length > 0;
}
async function tell(ppro2, facts, plan, hadSound) {
  const told = [[plan.disable ? "placed" : "placedAbove", { clip: plan.clip, track: plan.trackIndex + 1 }]];
  if (hadSound) told.push(["placedSound", {}]);
  const { sequence } = await handles(ppro2, facts);
  const now = (await readTimeline(ppro2, sequence)).video;
  const original = now[plan.original.trackIndex].find((entry) => entry.start === plan.original.start);
  const clean = now[plan.trackIndex].find((entry) => entry.start === plan.start);
  const effects = original && clean ? await differingEffects(ppro2, video(original), video(clean)) : null;
  if (effects === null) told.push(["placedEffectsUnread", {}]);
  else if (effects.length) told.push(["placedEffects", { names: effects.join(", ") }]);
  return told;
}
async function handles(ppro2, facts) {
  const project = await openProject(ppro2);
  return { project, sequence: await sequenceOf(project, facts.sequence) };
}
async function refuseEdited(ppro2, facts) {
  const now = await collectAgain(ppro2, facts);
  if (JSON.stringify(now.item) !== JSON.stringify(facts.item)) {
    throw new PanelError("stale", { clip: facts.item ? facts.item.name : "" });
  }
}
function switchAction(entry, disabled) {
  return entry.disabled === disabled ? [] : [video(entry).createSetDisabledAction(disabled)];
}
function video(entry) {
  return (
    /** @type {VideoClipTrackItem} */
    entry.item
  );
}
function isOurs(entry, plan) {
  return entry.projectItemId === plan.media.projectItemId;
}
function sameButSwitch(a, b) {
  return signature({ ...a, disabled: false }) === signature({ ...b, disabled: false });
}
function overlaps(entry, start, end) {
  return entry.start < end && start < entry.end;
}
function names(entries) {
  return entries.map((entry) => `'${entry.name}'`).join(", ");
}

// js/restore.js
async function restoreOriginal(ppro2) {
  const project = await openProject(ppro2);
  const sequence = await activeSequence(project);
  const before = await readTimeline(ppro2, sequence);
  const markers = await ask("getMarkers", () => ppro2.Markers.getMarkers(sequence));
  const position = ticksOf(await ask("getPlayerPosition", () => sequence.getPlayerPosition()));
  const { clean, marker, record } = oursAt(before, markers, position);
  const original = (before.video[record.track] ?? []).find((entry) => entry.start === BigInt(record.start));
  if (!original) throw new PanelError("originalGone", { clip: clean.name });
  try {
    removeItems(ppro2, project, sequence, {
      name: `Cleanplate: restore ${original.name}`,
      entries: [clean],
      more: () => [
        ...record.disabled ? switchAction(original, false) : [],
        markers.createRemoveMarkerAction(marker)
      ]
    });
  } catch (error) {
    throw new PanelError("notRestored", { why: wordsOf(error) });
  }
  await readBack(ppro2, before, { clean, original, record });
  return [["restored", { clip: original.name }]];
}
function oursAt(timeline, markers, position) {
  const standing = timeline.video.flat().filter((entry) => entry.start <= position && position < entry.end);
  for (const clean of standing.reverse()) {
    for (const marker of markers.getMarkers()) {
      const record = recordOf(marker);
      const isIts = record && record.item === clean.projectItemId && ticksOf(marker.getStart()) === clean.start;
      if (isIts) return { clean, marker, record };
    }
  }
  throw new PanelError("notOurs");
}
async function readBack(ppro2, before, { clean, original, record }) {
  const sequence = await activeSequence(await openProject(ppro2));
  const after = await readTimeline(ppro2, sequence);
  const picture = difference(before.video, after.video);
  const sound = difference(before.audio, after.audio);
  const shown = signature({ ...original, disabled: record.disabled ? false : original.disabled });
  const expected = [signature(clean), signature(original)];
  const others = [
    ...picture.gone.filter((entry) => !expected.includes(signature(entry))),
    ...picture.added.filter((entry) => signature(entry) !== shown),
    ...sound.gone,
    ...sound.added
  ];
  const now = after.video.flat().map(signature);
  if (others.length || now.includes(signature(clean)) || !now.includes(shown)) {
    throw new PanelError("damaged", { why: others.map((entry) => `'${entry.name}'`).join(", ") || "read back" });
  }
}

// js/flow.js
var PENDING_KEY = "cleanplate.pending";
var POLL_MILLISECONDS = 1e3;
var MENDABLE = ["covered", "refused", "noAnswer", "noProject", "sequenceGone", "noServer", "badConnection", "noFolder"];
var Flow = class {
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
      const { ppro: ppro2, gateway, keeper, version } = this.parts;
      this.#say("reading");
      const facts = await collectFacts(ppro2, version);
      this.#say("asking");
      const shot = await gateway.announce(facts);
      const page = await gateway.pageAddress(shot.page);
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
    const { ppro: ppro2, gateway, wait: wait2 } = this.parts;
    const now = await collectAgain(ppro2, pending.facts);
    if (!now.item) throw new PanelError("stale", { clip: pending.clip });
    const checked = await gateway.check(pending.shot, now);
    const placement = checked.placement ?? shot.placement;
    if (!placement) throw new PanelError("shotGone");
    return placeTake(ppro2, { facts: pending.facts, placement, wait: wait2 });
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
    else this.parts.show(shot.message);
  }
  /**
   * @param {Pending} pending
   * @param {Shot} shot
   */
  #sayWork(pending, shot) {
    const running = (shot.job?.stages ?? []).filter((stage2) => Number(stage2.frame_count) > 0);
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
};

// js/panel.js
var BUTTONS = (
  /** @type {const} */
  ["clean", "resume", "cancel", "restore", "export", "folder"]
);
function startPanel({ ppro: ppro2, uxp: uxp2, document: document2, keeper, fetch: fetch2 }) {
  const files = uxp2.storage.localFileSystem;
  const locale = uxp2.host.uiLocale || "en";
  const version = uxp2.host.version;
  const usual = navigator.platform.startsWith("Win") ? USUAL_FOLDER.win32 : USUAL_FOLDER.darwin;
  const line = element(document2, "status");
  const show2 = (sentence) => {
    line.textContent = sentence;
  };
  const gateway = new Gateway({ connect: () => readConnection(files, keeper, usual), fetch: fetch2, wait });
  const openPage = (url, why) => uxp2.shell.openExternal(url, why);
  const flow = new Flow({ ppro: ppro2, gateway, keeper, version, locale, openPage, wait, show: show2 });
  const acts = {
    clean: () => flow.clean(),
    resume: () => flow.resume(),
    cancel: () => flow.giveUp(),
    restore: () => flow.restore(),
    export: async () => {
      const told = await exportOtio(ppro2, files, version);
      told.forEach(([code, values]) => show2(say(locale, code, values)));
    },
    folder: async () => {
      if (await chooseFolder(files, keeper)) show2(say(locale, "ready"));
    }
  };
  let busy = false;
  const refresh = () => {
    for (const name of BUTTONS) {
      const isWanted = name === "cancel" ? flow.pending !== null : !busy;
      const isShown = name === "resume" || name === "cancel" ? flow.pending !== null : true;
      setButton(element(document2, name), isWanted, isShown);
    }
  };
  for (const name of BUTTONS) {
    const button = element(document2, name);
    button.textContent = say(
      locale,
      /** @type {Code} */
      name
    );
    button.addEventListener("click", async () => {
      if (busy && name !== "cancel") return;
      busy = true;
      refresh();
      try {
        await acts[name]();
      } catch (error) {
        show2(sayError(locale, error));
      } finally {
        busy = false;
        refresh();
      }
    });
  }
  const left = flow.pending;
  show2(left ? say(locale, "left", { clip: left.clip }) : say(locale, "ready"));
  refresh();
}
function wait(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
function element(document2, id) {
  return (
    /** @type {HTMLElement} */
    document2.getElementById(id)
  );
}
function setButton(button, isWanted, isShown) {
  if (isWanted) button.removeAttribute("disabled");
  else button.setAttribute("disabled", "disabled");
  button.style.display = isShown ? "" : "none";
}

// js/main.js
var ppro = require("premierepro");
var uxp = require("uxp");
var started = false;
function show() {
  if (started) return;
  started = true;
  startPanel({ ppro, uxp, document, keeper: localStorage, fetch: (input, init) => fetch(input, init) });
}
uxp.entrypoints.setup({ panels: { cleanplate: { create: show, show } } });
})();
