import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";

import { chooseFolder, readConnection } from "../../../plugin/premiere/js/connection.js";
import { exportOtio } from "../../../plugin/premiere/js/exporting.js";
import { PanelError, say } from "../../../plugin/premiere/js/messages.js";
import { FakeKeeper, FakeUxp } from "./fake_uxp.js";
import { stage } from "./stage.js";

const FOLDER = new URL("../../../plugin/premiere/", import.meta.url);
const read = (/** @type {string} */ name) => readFileSync(new URL(name, FOLDER), "utf8");
const manifest = JSON.parse(read("manifest.json"));

test("the manifest names files that are there and the gateway's ports alone", () => {
  assert.equal(manifest.manifestVersion, 5);
  assert.equal(manifest.host.app, "premierepro");
  const icons = [...manifest.icons, ...manifest.entrypoints[0].icons].map((icon) => icon.path);
  for (const path of [manifest.main, ...icons, ...icons.map((icon) => icon.replace(".png", "@2x.png"))]) {
    assert.ok(existsSync(new URL(path, FOLDER)), path);
  }
  const ports = Array.from({ length: 10 }, (_, index) => `http://127.0.0.1:${47810 + index}`);
  assert.deepEqual(manifest.requiredPermissions.network.domains, ports);
  assert.equal(manifest.requiredPermissions.localFileSystem, "request");
  assert.deepEqual(manifest.requiredPermissions.launchProcess.schemes, ["http"]);
});

test("the bundle is what the modules give", () => {
  const here = fileURLToPath(new URL(".", import.meta.url));
  const fresh = execFileSync("npm", ["run", "--silent", "bundle"], { cwd: here, encoding: "utf8", stdio: "pipe" });
  assert.equal(fresh, read("bundle.js"), "run `npm run build` in tests/plugin/premiere");
});

test("the page loads the bundle as a plain script, for UXP knows no module scripts", () => {
  assert.match(read("index.html"), /<script src="bundle.js"><\/script>/);
  assert.doesNotMatch(read("bundle.js"), /^(import|export) /m);
});

/** A page of elements that can be clicked. */
function page() {
  /** @type {Map<string, any>} */
  const elements = new Map();
  for (const [, id] of read("index.html").matchAll(/id="(\w+)"/g)) {
    /** @type {Record<string, string>} */
    const attributes = {};
    /** @type {(() => Promise<void>)[]} */
    const listeners = [];
    elements.set(id, {
      textContent: "",
      style: { display: "" },
      attributes,
      setAttribute: (/** @type {string} */ name, /** @type {string} */ value) => (attributes[name] = value),
      removeAttribute: (/** @type {string} */ name) => delete attributes[name],
      addEventListener: (/** @type {string} */ _, /** @type {() => Promise<void>} */ act) => listeners.push(act),
      click: async () => {
        for (const act of listeners) await act();
      },
    });
  }
  return elements;
}

/** The bundle as UXP runs it. */
function loaded() {
  const { host, ppro } = stage();
  const uxp = new FakeUxp();
  const elements = page();
  const keeper = new FakeKeeper();
  /** @type {any} */
  let points = null;
  const modules = { premierepro: ppro, uxp: { ...uxp.module, entrypoints: { setup: (/** @type {any} */ p) => (points = p) } } };
  const context = createContext({
    require: (/** @type {"premierepro" | "uxp"} */ name) => modules[name],
    document: { getElementById: (/** @type {string} */ id) => elements.get(id) },
    localStorage: keeper,
    navigator: { platform: "MacIntel" },
    fetch,
    setTimeout: (/** @type {() => void} */ act) => setTimeout(act, 0),
    clearTimeout,
    AbortController,
    console: { error: () => undefined },
  });
  runInContext(read("bundle.js"), context);
  points.panels.cleanplate.create();
  points.panels.cleanplate.show();
  return { host, uxp, elements, keeper, said: () => elements.get("status").textContent };
}

test("the bundle runs as UXP runs it, and its buttons answer", async () => {
  const { elements, uxp, said, keeper } = loaded();
  assert.match(said(), /Park the playhead/);
  assert.equal(elements.get("clean").textContent, "Clean the clip under the playhead");
  assert.equal(elements.get("resume").style.display, "none");

  await elements.get("clean").click();
  assert.match(said(), /choose the folder in which Cleanplate keeps its state.*Application Support/);

  await elements.get("folder").click();
  assert.match(said(), /\/state holds no address of a running server/);
  uxp.files = { "server.json": '{"gateway": "127.0.0.1:47811"}', token: "secret\n" };
  await elements.get("folder").click();
  assert.match(said(), /Park the playhead/);
  assert.equal(keeper.kept.size, 1);

  await elements.get("restore").click();
  assert.match(said(), /no clean clip of ours/);
  await elements.get("export").click();
  assert.match(said(), /'Edit' is written to \/edit\/Edit.otio; see its clips with `cleanplate timeline list/);
  assert.equal(elements.get("clean").attributes.disabled, undefined);
});

test("a panel that opens with a shot under way offers to go on or give up", () => {
  const keeper = new FakeKeeper();
  keeper.setItem("cleanplate.pending", JSON.stringify({ shot: "shots/s1", clip: "dog.mov", facts: {} }));
  const { elements, said } = withKeeper(keeper);
  assert.match(said(), /'dog.mov' was under way/);
  assert.equal(elements.get("resume").style.display, "");
});

/** @param {FakeKeeper} keeper */
function withKeeper(keeper) {
  const first = loaded();
  const elements = page();
  /** @type {any} */
  let points = null;
  const uxp = { ...new FakeUxp().module, entrypoints: { setup: (/** @type {any} */ p) => (points = p) } };
  const context = createContext({
    require: (/** @type {string} */ name) => (name === "uxp" ? uxp : first.host.module),
    document: { getElementById: (/** @type {string} */ id) => elements.get(id) },
    localStorage: keeper,
    navigator: { platform: "Win32" },
  });
  runInContext(read("bundle.js"), context);
  points.panels.cleanplate.show();
  return { elements, said: () => elements.get("status").textContent };
}

test("address and token are read anew, and only ports that the manifest allows", async () => {
  const uxp = new FakeUxp();
  const files = uxp.module.storage.localFileSystem;
  const keeper = new FakeKeeper();
  await assert.rejects(readConnection(files, keeper, "usual"), /choose the folder.*usually usual/);
  uxp.files = { "server.json": '{"gateway": "127.0.0.1:47811"}', token: "one\n" };
  assert.equal(await chooseFolder(files, keeper), true);
  assert.deepEqual(await readConnection(files, keeper, ""), { address: "127.0.0.1:47811", token: "one" });
  uxp.files = { "server.json": '{"gateway": "127.0.0.1:47819"}', token: "two" };
  assert.deepEqual(await readConnection(files, keeper, ""), { address: "127.0.0.1:47819", token: "two" });
  for (const gateway of ['"127.0.0.1:80"', '"example.org:47811"', "null", "7", '"127.0.0.1:478110"']) {
    uxp.files["server.json"] = `{"gateway": ${gateway}}`;
    await assert.rejects(readConnection(files, keeper, ""), /no address of a running server/);
  }
  uxp.files = { "server.json": "{" };
  await assert.rejects(readConnection(files, keeper, ""), /no address of a running server/);
  uxp.folderThere = false;
  await assert.rejects(readConnection(files, keeper, ""), /choose the folder/);
  assert.equal(keeper.kept.size, 0);
  uxp.chooses = false;
  assert.equal(await chooseFolder(files, keeper), false);
});

test("export says where it went, that it could not, or nothing when the dialog was closed", async () => {
  const { host, ppro } = stage();
  const uxp = new FakeUxp();
  const files = uxp.module.storage.localFileSystem;
  assert.deepEqual(await exportOtio(ppro, files, "26.3.0"), [["exported", { sequence: "Edit", path: "/edit/Edit.otio" }]]);
  assert.deepEqual(host.exported, ["/edit/Edit.otio"]);
  host.exportWorks = false;
  await assert.rejects(exportOtio(ppro, files, "26.3.0"), /could not write \/edit\/Edit.otio/);
  uxp.savePath = null;
  assert.deepEqual(await exportOtio(ppro, files, "26.3.0"), []);
  const old = /** @type {typeof ppro} */ ({ ...ppro, ProjectConverter: /** @type {any} */ (undefined) });
  await assert.rejects(exportOtio(old, files, "25.2.0"), /25.2.0 cannot write OpenTimelineIO/);
});

test("every sentence is there in both languages, with the same values, on one line", () => {
  const source = read("js/messages.js");
  const codes = new Set([...source.matchAll(/^ {2}(\w+):/gm)].map((found) => found[1]));
  assert.ok(codes.size > 40);
  for (const code of codes) {
    const values = new Proxy({}, { get: (_, name) => `<${String(name)}>`, has: () => true });
    const [english, chinese] = ["en_US", "zh_CN"].map((locale) => say(locale, /** @type {any} */ (code), values));
    const names = (/** @type {string} */ text) => (text.match(/<\w+>/g) ?? []).sort().join();
    assert.equal(names(chinese), names(english), code);
    assert.doesNotMatch(english + chinese, /\n/);
    if (code !== "said") assert.notEqual(english, chinese, code);
  }
  assert.equal(new PanelError("sequenceGone", { sequence: "Edit" }).message.includes("'Edit'"), true);
});

test("changeMediaFilePath, which cannot be undone, is called nowhere", () => {
  assert.doesNotMatch(read("bundle.js"), /changeMediaFilePath|attachProxy/);
});
