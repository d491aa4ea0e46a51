/** Writes the open sequence as OpenTimelineIO, the road to `cleanplate timeline` for what a panel cannot do. */

import { activeSequence, ask, openProject } from "./host.js";
import { PanelError } from "./messages.js";

/** @import { premierepro } from "@adobe/premierepro" */
/** @import { UxpFileSystem } from "./types.d.ts" */
/** @import { Told } from "./place.js" */

/**
 * Exports the open sequence to a file that the person chooses.
 * @param {premierepro} ppro
 * @param {UxpFileSystem} files
 * @param {string} version of the host
 * @returns {Promise<Told[]>} empty when the person closed the dialog
 */
export async function exportOtio(ppro, files, version) {
  // Hosts before 25.6 load the panel's module but lack the converter.
  const converter = /** @type {premierepro["ProjectConverter"] | undefined} */ (ppro.ProjectConverter);
  if (!converter || !converter.exportAsOpenTimelineIO) throw new PanelError("tooOld", { version });
  const sequence = await activeSequence(await openProject(ppro));
  const file = await files.getFileForSaving(`${sequence.name}.otio`, { types: ["otio"] });
  if (!file) return [];
  const path = file.nativePath;
  const done = await ask("exportAsOpenTimelineIO", () => converter.exportAsOpenTimelineIO(sequence, path, true));
  if (!done) throw new PanelError("noExport", { path });
  return [["exported", { sequence: sequence.name, path }]];
}
