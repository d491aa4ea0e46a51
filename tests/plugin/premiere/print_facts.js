/** Prints what the panel would announce for several edits, one JSON object a line, for the test that reads it in Python. */

import { announced, stage, ticks } from "./stage.js";

/** @type {Record<string, (on: ReturnType<typeof stage>) => void>} */
const edits = {
  plain: () => undefined,
  part: ({ host }) => {
    host.inPoint = ticks(110);
    host.outPoint = ticks(130);
  },
  timecode: ({ host }) => {
    host.quirks.timecodePoints = true;
  },
  gap: ({ host }) => {
    host.player = ticks(1000);
  },
  nested: ({ host, dog }) => {
    host.mediaOf(host.state, dog).kind = "sequence";
  },
  multicam: ({ host, dog }) => {
    host.mediaOf(host.state, dog).kind = "multicam";
  },
  title: ({ host, dog }) => {
    host.mediaOf(host.state, dog).kind = "title";
  },
  offline: ({ host, dog }) => {
    host.mediaOf(host.state, dog).offline = true;
  },
  retimed: ({ host, shot }) => {
    host.item(shot).speed = 0.5;
  },
  locked: ({ host }) => {
    host.quirks.locksTold = true;
    host.lockedTracks.add("video0");
  },
};

for (const [name, edit] of Object.entries(edits)) {
  const on = stage();
  edit(on);
  console.log(JSON.stringify({ name, request: { premiere: await announced(on.host) } }));
}
