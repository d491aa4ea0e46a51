// Everything that the page says, in English and in Chinese.

const english = {
  hint: "Click on what is to go. Alt-click on what is to stay. Or drag a box around it.",
  view: "Picture. Arrow keys move the mark, Enter puts a click on the object, Alt+Enter one on something else.",
  frame: "Frame", prompts: "Prompts", none: "None yet.", progress: "Progress", notes: "Notes", candidates: "Other outlines",
  undo: "Undo", clear: "Clear this frame", effort: "Effort", fast: "Fast", balanced: "Balanced", best: "Best",
  delivery: "Result", plate: "Replaces the clip", patch: "Patch for the track above",
  remove: "Remove", stop: "Stop", cancel: "Give up",
  opening: "Opening the shot …", looking: "Looking for the object …", found: "Found. Add clicks to correct it, or remove it.",
  STATE_UNSPECIFIED: "", WAITING: "Waiting for your click.", WORKING: "Working …", FAILED: "It did not work. Your prompts are kept.",
  READY: (host) => `Clean media is ready. ${host} is placing it.`,
  PLACED: (host) => `Placed in ${host}. You may close this page.`, CANCELLED: "Given up. Nothing was changed.",
  lost: "The connection was lost. Trying again …", gone: "Cleanplate's server has ended. Start it, and open the page again from your editing program.",
  again: "This page's link was used already, or is too old. Open the page again from your editing program.",
  outline: (number) => `Outline ${number}`, go: (frame, count) => `Frame ${frame}: ${count} ${count === 1 ? "mark" : "marks"}`,
  frames: (done, all) => `${done} of ${all} frames`, speed: (fps) => `${fps} frames/s`, left: (time) => `${time} left`,
  decode: "Looking for cuts", segment: "Finding", propagate: "Following", matte: "Matting", survey: "Surveying", inpaint: "Filling", encode: "Writing",
};

const chinese = {
  hint: "点击要去除的物体；按住 Alt 点击要保留的部分；也可以拖出一个框。",
  view: "画面。方向键移动标记，回车在物体上点击，Alt+回车在其他地方点击。",
  frame: "帧", prompts: "标记", none: "还没有标记。", progress: "进度", notes: "说明", candidates: "其他轮廓",
  undo: "撤销", clear: "清除本帧", effort: "质量", fast: "快速", balanced: "均衡", best: "最佳",
  delivery: "结果", plate: "替换片段", patch: "补丁，放在上方轨道",
  remove: "去除", stop: "停止", cancel: "放弃",
  opening: "正在打开镜头……", looking: "正在寻找物体……", found: "已找到。可继续点击修正，或直接去除。",
  STATE_UNSPECIFIED: "", WAITING: "请点击物体。", WORKING: "正在处理……", FAILED: "没有成功，标记已保留。",
  READY: (host) => `干净画面已完成，${host} 正在放入时间线。`,
  PLACED: (host) => `已放入 ${host}，可以关闭本页。`, CANCELLED: "已放弃，没有任何改动。",
  lost: "连接中断，正在重试……", gone: "Cleanplate 服务已结束。请启动它，再从剪辑软件中打开本页。",
  again: "本页的链接已经用过或已过期，请从剪辑软件中重新打开。",
  outline: (number) => `轮廓 ${number}`, go: (frame, count) => `第 ${frame} 帧：${count} 个标记`,
  frames: (done, all) => `${done} / ${all} 帧`, speed: (fps) => `${fps} 帧/秒`, left: (time) => `还需 ${time}`,
  decode: "查找镜头切换", segment: "寻找物体", propagate: "跟踪", matte: "抠像", survey: "查看背景", inpaint: "填充", encode: "写入文件",
};

export const language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
export const words = language === "zh" ? chinese : english;

export function writeWords() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = words[element.dataset.word];
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", words[element.dataset.label]);
}
