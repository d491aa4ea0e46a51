// Signs on buttons, drawn with lines on a field of 16 by 16.

const PATHS = {
  point: "M3 2l4 11 2-5 5-2z",
  brush: "M13.5 2.5L7 9M7 9c-2-1-4 .5-4 2.5 0 1-.5 1.5-1 2 3 .5 6-.5 6-3 0-.6-.3-1.2-1-1.500z",
  erase: "M6 13h8M3 9.500l6-6 4 4-5.5 5.500H5.500z",
  hand: "M8 1.500v13M1.5 8h13M8 1.500l-2 2M8 1.500l2 2M8 14.500l-2-2M8 14.500l2-2M1.5 8l2-2M1.5 8l2 2M14.5 8l-2-2M14.5 8l-2 2",
  undo: "M3 6h7a3.5 3.5 0 010 7H6M3 6l3-3M3 6l3 3",
  redo: "M13 6H6a3.5 3.5 0 000 7h4M13 6l-3-3M13 6l-3 3",
  play: "M4 2.500v11l9-5.500z",
  pause: "M5 3v10M11 3v10",
  stepback: "M11 3L5 8l6 5zM3.5 3v10",
  stepforward: "M5 3l6 5-6 5zM12.5 3v10",
  start: "M12 3L7 8l5 5M4 3v10",
  end: "M4 3l5 5-5 5M12 3v10",
  in: "M9 2.500H5v11h4",
  out: "M7 2.500h4v11H7",
  eye: "M1.5 8C4 3.5 12 3.5 14.5 8 12 12.5 4 12.5 1.5 8zM8 6a2 2 0 100 4 2 2 0 000-4z",
  hidden: "M1.5 8C4 12 12 12 14.5 8M3.5 10.500L2 12M8 11.500v2M12.5 10.500L14 12",
  delete: "M4 4l8 8M12 4l-8 8",
  add: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  backward: "M9 3L4 8l5 5M13.5 3l-5 5 5 5",
  forward: "M7 3l5 5-5 5M2.5 3l5 5-5 5",
  both: "M5.5 4l-4 4 4 4M10.5 4l4 4-4 4M2 8h12",
  stop: "M4 4h8v8H4z",
  previous: "M10 3L5 8l5 5",
  next: "M6 3l5 5-5 5",
};
const FILLED = ["play", "stop", "stepback", "stepforward"];
const SPACE = "http://www.w3.org/2000/svg";

/** @param {string} name */
export function icon(name) {
  const drawing = document.createElementNS(SPACE, "svg");
  const path = document.createElementNS(SPACE, "path");
  drawing.setAttribute("viewBox", "0 0 16 16");
  drawing.setAttribute("aria-hidden", "true");
  path.setAttribute("d", /** @type {Record<string, string>} */ (PATHS)[name]);
  if (FILLED.includes(name)) path.setAttribute("fill", "currentColor");
  drawing.append(path);
  return drawing;
}
