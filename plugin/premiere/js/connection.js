/**
 * Where the gateway is and what it asks for: read from Cleanplate's state folder, which a person chooses once.
 *
 * A folder that was chosen stays open to the panel by a persistent token of UXP, so that the panel needs no right to the
 * whole disk, and nobody copies a secret when the server is started again.
 */

import { PanelError } from "./messages.js";

/** @import { Connection, Keeper, UxpFile, UxpFileSystem, UxpFolder } from "./types.d.ts" */

const FOLDER_KEY = "cleanplate.state-folder";
/** Where the state folder is unless someone moved it, by the host's platform. */
export const USUAL_FOLDER = {
  darwin: "~/Library/Application Support/cleanplate",
  win32: "%LOCALAPPDATA%\\cleanplate",
};
/** The ports that the manifest allows. */
const ADDRESS = /^127\.0\.0\.1:478(1[0-9])$/;

/**
 * Lets a person choose the state folder.
 * @param {UxpFileSystem} files
 * @param {Keeper} keeper
 * @returns {Promise<boolean>} false when the person closed the dialog
 */
export async function chooseFolder(files, keeper) {
  const folder = await files.getFolder();
  if (!folder) return false;
  await readFolder(folder);
  keeper.setItem(FOLDER_KEY, await files.createPersistentToken(folder));
  return true;
}

/**
 * Reads what the server that runs now wrote.
 * @param {UxpFileSystem} files
 * @param {Keeper} keeper
 * @param {string} usual where the folder usually is, for the sentence
 * @returns {Promise<Connection>}
 */
export async function readConnection(files, keeper, usual) {
  const kept = keeper.getItem(FOLDER_KEY);
  if (!kept) throw new PanelError("noFolder", { path: usual });
  /** @type {UxpFolder} */
  let folder;
  try {
    folder = /** @type {UxpFolder} */ (await files.getEntryForPersistentToken(kept));
  } catch {
    keeper.removeItem(FOLDER_KEY);
    throw new PanelError("noFolder", { path: usual });
  }
  return readFolder(folder);
}

/**
 * @param {UxpFolder} folder
 * @returns {Promise<Connection>}
 */
async function readFolder(folder) {
  try {
    const { gateway } = JSON.parse(await textOf(folder, "server.json"));
    const token = (await textOf(folder, "token")).trim();
    if (token && typeof gateway === "string" && ADDRESS.test(gateway)) return { address: gateway, token };
  } catch {
    // No such file, or half a one: there is no server, which is what the sentence below says.
  }
  throw new PanelError("badConnection", { folder: folder.nativePath });
}

/**
 * @param {UxpFolder} folder
 * @param {string} name
 */
async function textOf(folder, name) {
  return /** @type {UxpFile} */ (await folder.getEntry(name)).read();
}
