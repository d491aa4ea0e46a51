/** Everything the panel says, in English and Chinese; each is one sentence: what is wrong, the values, what to do. */

/** @typedef {Record<string, string | number>} Values */
/** @typedef {keyof typeof ENGLISH} Code */

const ENGLISH = {
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
  placedSound:
    " Its file carries sound, which was taken off again: undo twice to go back, and an empty audio track may remain.",
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
  tooOld: "Premiere {version} cannot write OpenTimelineIO for panels; update it to 25.6 or later",
};

/** @type {Record<Code, string>} */
const CHINESE = {
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
  tooOld: "Premiere {version} 不能为面板写入 OpenTimelineIO；请更新到 25.6 或更高版本",
};

/** Something went wrong that a person should read. */
export class PanelError extends Error {
  /**
   * @param {Code} code
   * @param {Values} [values]
   */
  constructor(code, values = {}) {
    super(fill(ENGLISH[code], values));
    this.code = code;
    this.values = values;
  }
}

/**
 * One sentence.
 * @param {string} locale such as `zh_CN`; all but Chinese is English
 * @param {Code} code
 * @param {Values} [values]
 * @returns {string}
 */
export function say(locale, code, values = {}) {
  return fill((locale.toLowerCase().startsWith("zh") ? CHINESE : ENGLISH)[code], values);
}

/**
 * What a person should read of anything that was thrown.
 * @param {string} locale
 * @param {unknown} error
 * @returns {string}
 */
export function sayError(locale, error) {
  return error instanceof PanelError ? say(locale, error.code, error.values) : wordsOf(error);
}

/**
 * The words of a thrown thing, on one line.
 * @param {unknown} error
 * @returns {string}
 */
export function wordsOf(error) {
  const words = error instanceof Error ? error.message || error.name : String(error);
  return words.split("\n")[0];
}

/**
 * @param {string} text
 * @param {Values} values
 */
function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}
