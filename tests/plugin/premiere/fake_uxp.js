/** What of UXP a panel needs: a folder that was chosen once, small texts, the browser. */

/** @import { Keeper, Uxp, UxpEntry, UxpFile, UxpFolder } from "../../../plugin/premiere/js/types.d.ts" */

/** @implements {Keeper} */
export class FakeKeeper {
  /** @type {Map<string, string>} */
  kept = new Map();

  /** @param {string} key */
  getItem(key) {
    return this.kept.get(key) ?? null;
  }

  /**
   * @param {string} key
   * @param {string} value
   */
  setItem(key, value) {
    this.kept.set(key, value);
  }

  /** @param {string} key */
  removeItem(key) {
    this.kept.delete(key);
  }
}

export class FakeUxp {
  /** Files of the state folder. @type {Record<string, string>} */
  files = {};
  /** @type {string[]} */
  opened = [];
  folderThere = true;
  /** What the save dialog gives. @type {string | null} */
  savePath = "/edit/Edit.otio";
  chooses = true;

  /** @returns {UxpFolder} */
  get folder() {
    return {
      name: "cleanplate",
      nativePath: "/state",
      isFolder: true,
      getEntry: async (name) => {
        const text = this.files[name];
        if (text === undefined) throw new Error(`no ${name}`);
        /** @type {UxpFile} */
        const file = { name, nativePath: `/state/${name}`, isFolder: false, read: async () => text };
        return file;
      },
    };
  }

  /** @returns {Uxp} */
  get module() {
    return {
      entrypoints: { setup: () => undefined },
      host: { name: "premierepro", version: "26.3.0", uiLocale: "en_US" },
      shell: { openExternal: async (url) => ((this.opened.push(url), "")) },
      storage: {
        localFileSystem: {
          getFolder: async () => (this.chooses ? this.folder : null),
          getFileForSaving: async (name) =>
            this.savePath ? { name, nativePath: this.savePath, isFolder: false, read: async () => "" } : null,
          createPersistentToken: async (/** @type {UxpEntry} */ entry) => `token of ${entry.nativePath}`,
          getEntryForPersistentToken: async () => {
            if (!this.folderThere) throw new Error("the token is no longer valid");
            return this.folder;
          },
        },
      },
    };
  }
}
