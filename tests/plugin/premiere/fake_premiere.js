/**
 * Premiere in memory: one project, one sequence, tracks, actions, locks and undo, with the habits that it was seen to have.
 *
 * Objects die with every change of the project; actions can be made under the lock alone; a transaction does all or
 * nothing; within one, no action sees what another did. Its classes are held to the published types.
 */

/** @import * as P from "@adobe/premierepro" */

/** @typedef {"video" | "audio"} Kind */
/**
 * @typedef {object} ItemState
 * @property {number} uid
 * @property {Kind} kind
 * @property {number} track
 * @property {bigint} start
 * @property {bigint} end
 * @property {bigint} inPoint
 * @property {boolean} disabled
 * @property {string} pid
 * @property {string} name
 * @property {number} speed
 * @property {boolean} reversed
 * @property {boolean} adjustment
 * @property {boolean} selected
 * @property {Record<string, unknown[]>} effects
 */
/**
 * @typedef {object} MediaState
 * @property {string} pid
 * @property {string} name
 * @property {string} path
 * @property {number} rate
 * @property {bigint} start
 * @property {bigint} duration
 * @property {boolean} sound
 * @property {"clip" | "sequence" | "multicam" | "merged" | "title"} kind
 * @property {boolean} subclip
 * @property {boolean} offline
 * @property {bigint | null} inPoint
 * @property {bigint | null} outPoint
 */
/** @typedef {{ name: string, start: bigint, duration: bigint, comments: string, guid: string }} MarkerState */
/** @typedef {{ start: bigint, end: bigint, track: number }} TransitionState */
/**
 * @typedef {object} State
 * @property {ItemState[]} items
 * @property {MediaState[]} media
 * @property {MarkerState[]} markers
 * @property {TransitionState[]} transitions
 * @property {number} videoTracks
 * @property {number} audioTracks
 */
/**
 * What this Premiere does otherwise than one would hope.
 * @typedef {object} Quirks
 * @property {boolean} ignoresPoints overwrites with all of the file
 * @property {boolean} ignoresTrack places on the lowest track
 * @property {boolean} timecodePoints in points count from the timecode
 * @property {boolean} readOnly transactions answer false
 * @property {boolean} throwsInTransaction
 * @property {number} importAfter looks until an imported file appears
 * @property {boolean} locksTold tracks say whether they are locked
 * @property {boolean} lockedSilently a locked track takes nothing, and nothing is said
 * @property {boolean} noNewTracks tracks past the last are not made
 * @property {boolean} soundCannotGo sound cannot be removed
 * @property {boolean} switchesMore disables a neighbour too
 * @property {boolean} playerWithZero the playhead is told with the sequence's start timecode
 */

const CLIP = 1;
const TRANSITION = 2;

/** @param {bigint} ticks */
function time(ticks) {
  return /** @type {P.TickTime} */ (
    /** @type {unknown} */ ({
      ticks: ticks.toString(),
      ticksNumber: Number(ticks),
      seconds: Number(ticks) / 254016000000,
      equals: (/** @type {P.TickTime} */ other) => other.ticks === ticks.toString(),
    })
  );
}

/**
 * Stands for one of Premiere's opaque types.
 * @template T
 * @param {unknown} value
 * @returns {T}
 */
function as(value) {
  return /** @type {T} */ (value);
}

class FakeAction {
  /** @param {(state: State, committed: State) => void} apply */
  constructor(apply) {
    this.apply = apply;
  }
}

/** A thing that Premiere hands out, good until the project changes. */
class Handle {
  /** @param {FakePremiere} host */
  constructor(host) {
    this.host = host;
    this.epoch = host.epoch;
  }

  /** @param {string} call */
  alive(call) {
    if (this.epoch !== this.host.epoch) throw new Error("The script object is no longer valid");
    if (this.host.rejecting.has(call)) throw new Error(`${call} failed`);
  }

  /** @param {(state: State, committed: State) => void} apply */
  action(apply) {
    this.alive("action");
    if (!this.host.locked) throw new Error("actions must be created inside lockedAccess");
    return /** @type {P.Action} */ (new FakeAction(apply));
  }
}

/** @implements {Pick<P.VideoClipTrackItem, "getName" | "getIsSelected" | "getSpeed" | "isSpeedReversed" | "isAdjustmentLayer" | "getInPoint" | "getOutPoint" | "getStartTime" | "getEndTime" | "isDisabled" | "createSetDisabledAction" | "getProjectItem" | "getComponentChain">} */
export class FakeItem extends Handle {
  /**
   * @param {FakePremiere} host
   * @param {number} uid
   */
  constructor(host, uid) {
    super(host);
    this.uid = uid;
  }

  /** @param {string} call */
  read(call) {
    this.alive(call);
    return this.host.item(this.uid);
  }

  async getName() {
    return this.read("getName").name;
  }

  async getIsSelected() {
    return this.read("getIsSelected").selected;
  }

  async getSpeed() {
    return this.read("getSpeed").speed;
  }

  async isSpeedReversed() {
    return this.read("isSpeedReversed").reversed ? 1 : 0;
  }

  async isAdjustmentLayer() {
    return this.read("isAdjustmentLayer").adjustment;
  }

  async getInPoint() {
    const item = this.read("getInPoint");
    return time(item.inPoint + this.host.pointBase(item.pid));
  }

  async getOutPoint() {
    const item = this.read("getOutPoint");
    return time(item.inPoint + (item.end - item.start) + this.host.pointBase(item.pid));
  }

  async getStartTime() {
    return time(this.read("getStartTime").start);
  }

  async getEndTime() {
    return time(this.read("getEndTime").end);
  }

  async isDisabled() {
    return this.read("isDisabled").disabled;
  }

  /** @param {boolean} disabled */
  createSetDisabledAction(disabled) {
    const { uid, host } = this;
    return this.action((state) => {
      const item = host.itemIn(state, uid);
      host.refuseLocked(item.kind, item.track);
      item.disabled = disabled;
      if (!host.quirks.switchesMore || !disabled) return;
      for (const other of state.items) if (other.end === item.start && other.kind === "video") other.disabled = disabled;
    });
  }

  async getProjectItem() {
    const { pid } = this.read("getProjectItem");
    return this.host.projectItem(pid);
  }

  async getComponentChain() {
    const { effects } = this.read("getComponentChain");
    const components = Object.entries(effects).map(([name, values]) => ({
      getMatchName: async () => name,
      getDisplayName: async () => name.replace("AE.ADBE ", ""),
      getParamCount: () => values.length,
      getParam: (/** @type {number} */ index) => ({
        isTimeVarying: () => values[index] === "keyframes",
        getValueAtTime: async () => values[index],
      }),
    }));
    /** @type {Pick<P.VideoComponentChain, "getComponentCount" | "getComponentAtIndex">} */
    const chain = {
      getComponentCount: () => components.length,
      getComponentAtIndex: (index) => as(components[index]),
    };
    return /** @type {P.VideoComponentChain} */ (chain);
  }
}

/** @implements {Pick<P.ProjectItem, "getId" | "type" | "name">} */
export class FakeProjectItem extends Handle {
  /**
   * @param {FakePremiere} host
   * @param {string} pid
   */
  constructor(host, pid) {
    super(host);
    this.pid = pid;
    this.name = host.mediaOf(host.state, pid).name;
    this.type = 1;
  }

  getId() {
    this.alive("getId");
    return this.pid;
  }
}

/** @implements {Pick<P.ClipProjectItem, "isSequence" | "isMulticamClip" | "isMergedClip" | "isOffline" | "getMediaFilePath" | "getMedia" | "getFootageInterpretation" | "findItemsMatchingMediaPath" | "getInPoint" | "createSetInOutPointsAction" | "createClearInOutPointsAction">} */
export class FakeClip extends Handle {
  /**
   * @param {FakePremiere} host
   * @param {string} pid
   */
  constructor(host, pid) {
    super(host);
    this.pid = pid;
  }

  /** @param {string} call */
  read(call) {
    this.alive(call);
    return this.host.mediaOf(this.host.state, this.pid);
  }

  async isSequence() {
    return this.read("isSequence").kind === "sequence";
  }

  async isMulticamClip() {
    return this.read("isMulticamClip").kind === "multicam";
  }

  async isMergedClip() {
    return this.read("isMergedClip").kind === "merged";
  }

  async isOffline() {
    return this.read("isOffline").offline;
  }

  async getMediaFilePath() {
    return this.read("getMediaFilePath").path;
  }

  async getMedia() {
    const { start, duration } = this.read("getMedia");
    return /** @type {P.Media} */ (as({ start: time(start), duration: time(duration) }));
  }

  async getFootageInterpretation() {
    const { rate } = this.read("getFootageInterpretation");
    return /** @type {P.FootageInterpretation} */ (as({ getFrameRate: () => rate }));
  }

  /**
   * @param {string} path
   * @param {boolean} [ignoreSubclips]
   */
  async findItemsMatchingMediaPath(path, ignoreSubclips) {
    this.read("findItemsMatchingMediaPath");
    const found = this.host.state.media.filter((each) => each.path === path && !(ignoreSubclips && each.subclip));
    return found.map((each) => this.host.projectItem(each.pid));
  }

  async getInPoint() {
    const { inPoint } = this.read("getInPoint");
    return time((inPoint ?? 0n) + this.host.pointBase(this.pid));
  }

  /**
   * @param {P.TickTime} first
   * @param {P.TickTime} stop
   */
  createSetInOutPointsAction(first, stop) {
    const base = this.host.pointBase(this.pid);
    return this.action((state) => {
      const media = this.host.mediaOf(state, this.pid);
      media.inPoint = BigInt(first.ticks) - base;
      media.outPoint = BigInt(stop.ticks) - base;
    });
  }

  createClearInOutPointsAction() {
    return this.action((state) => {
      const media = this.host.mediaOf(state, this.pid);
      media.inPoint = media.outPoint = null;
    });
  }
}

/** @implements {Pick<P.VideoTrack, "getTrackItems">} */
export class FakeTrack extends Handle {
  /**
   * @param {FakePremiere} host
   * @param {Kind} kind
   * @param {number} index
   */
  constructor(host, kind, index) {
    super(host);
    this.kind = kind;
    this.index = index;
    if (host.quirks.locksTold) this.isLocked = async () => host.lockedTracks.has(`${kind}${index}`);
  }

  /** @param {P.Constants.TrackItemType} type */
  getTrackItems(type) {
    this.alive("getTrackItems");
    const { host, kind, index } = this;
    if (Number(type) === TRANSITION) {
      const own = host.state.transitions.filter((each) => each.track === index);
      return own.map(({ start, end }) => {
        /** @type {Pick<P.VideoClipTrackItem, "getStartTime" | "getEndTime">} */
        const item = { getStartTime: async () => time(start), getEndTime: async () => time(end) };
        return /** @type {P.VideoClipTrackItem} */ (item);
      });
    }
    const own = host.state.items.filter((item) => item.kind === kind && item.track === index);
    own.sort((a, b) => Number(a.start - b.start));
    return own.map((item) => /** @type {P.VideoClipTrackItem} */ (as(new FakeItem(host, item.uid))));
  }
}

/** @implements {Pick<P.Sequence, "guid" | "name" | "getTimebase" | "getZeroPoint" | "getEndTime" | "getPlayerPosition" | "getInPoint" | "getOutPoint" | "getSequenceVideoTimeDisplayFormat" | "getVideoTrackCount" | "getAudioTrackCount" | "getVideoTrack" | "getAudioTrack">} */
export class FakeSequence extends Handle {
  /** @param {FakePremiere} host */
  constructor(host) {
    super(host);
    this.guid = /** @type {P.Guid} */ (as({ toString: () => host.sequenceId }));
    this.name = host.sequenceName;
  }

  async getTimebase() {
    this.alive("getTimebase");
    return this.host.tick.toString();
  }

  async getZeroPoint() {
    this.alive("getZeroPoint");
    return time(this.host.zero);
  }

  async getEndTime() {
    this.alive("getEndTime");
    return time(this.host.state.items.reduce((end, item) => (item.end > end ? item.end : end), 0n));
  }

  async getPlayerPosition() {
    this.alive("getPlayerPosition");
    return time(this.host.player + (this.host.quirks.playerWithZero ? this.host.zero : 0n));
  }

  async getInPoint() {
    this.alive("getInPoint");
    return time(this.host.inPoint ?? -400000n * 254016000000n);
  }

  async getOutPoint() {
    this.alive("getOutPoint");
    return time(this.host.outPoint ?? -400000n * 254016000000n);
  }

  async getSequenceVideoTimeDisplayFormat() {
    this.alive("getSequenceVideoTimeDisplayFormat");
    return { type: 101 };
  }

  async getVideoTrackCount() {
    this.alive("getVideoTrackCount");
    return this.host.state.videoTracks;
  }

  async getAudioTrackCount() {
    this.alive("getAudioTrackCount");
    return this.host.state.audioTracks;
  }

  /** @param {number} index */
  async getVideoTrack(index) {
    this.alive("getVideoTrack");
    return /** @type {P.VideoTrack} */ (as(new FakeTrack(this.host, "video", index)));
  }

  /** @param {number} index */
  async getAudioTrack(index) {
    this.alive("getAudioTrack");
    return /** @type {P.AudioTrack} */ (as(new FakeTrack(this.host, "audio", index)));
  }
}

/** @implements {Pick<P.SequenceEditor, "createOverwriteItemAction" | "createRemoveItemsAction">} */
class FakeEditor extends Handle {
  /**
   * @param {P.ProjectItem} projectItem
   * @param {P.TickTime} at
   * @param {number} videoTrack
   * @param {number} audioTrack
   */
  createOverwriteItemAction(projectItem, at, videoTrack, audioTrack) {
    const pid = projectItem.getId();
    if (!(projectItem instanceof FakeProjectItem)) throw new Error("Invalid parameter");
    return this.action((state, committed) => this.host.overwrite(state, committed, { pid, at, videoTrack, audioTrack }));
  }

  /**
   * @param {P.TrackItemSelection} selection
   * @param {boolean} ripple
   * @param {P.Constants.MediaType} type
   */
  createRemoveItemsAction(selection, ripple, type) {
    const items = as(/** @type {FakeSelection} */ (as(selection))).uids.slice();
    const kind = Number(type) === 3 ? "audio" : "video";
    return this.action((state) => {
      if (ripple) throw new Error("this must not shift anything");
      if (kind === "audio" && this.host.quirks.soundCannotGo) throw new Error("sound stays");
      for (const uid of items) this.host.refuseLocked(kind, this.host.itemIn(state, uid).track);
      state.items = state.items.filter((item) => !(items.includes(item.uid) && item.kind === kind));
    });
  }
}

/** @implements {Pick<P.TrackItemSelection, "addItem">} */
class FakeSelection {
  /** @type {number[]} */
  uids = [];

  /** @param {P.VideoClipTrackItem | P.AudioClipTrackItem} item */
  addItem(item) {
    const fake = /** @type {FakeItem} */ (as(item));
    fake.alive("addItem");
    this.uids.push(fake.uid);
    return true;
  }
}

/** @implements {Pick<P.Markers, "getMarkers" | "createAddMarkerAction" | "createRemoveMarkerAction">} */
class FakeMarkers extends Handle {
  getMarkers() {
    this.alive("getMarkers");
    return this.host.state.markers.map((each) => {
      /** @type {Pick<P.Marker, "getName" | "getComments" | "getStart" | "guid">} */
      const marker = {
        getName: () => each.name,
        getComments: () => each.comments,
        getStart: () => time(each.start),
        guid: /** @type {P.Guid} */ (as({ toString: () => each.guid })),
      };
      return /** @type {P.Marker} */ (marker);
    });
  }

  /**
   * @param {string} name
   * @param {string} [_type]
   * @param {P.TickTime} [start]
   * @param {P.TickTime} [duration]
   * @param {string} [comments]
   */
  createAddMarkerAction(name, _type, start, duration, comments) {
    return this.action((state) => {
      const guid = `marker-${++this.host.serial}`;
      const [from, length] = [BigInt(start?.ticks ?? 0), BigInt(duration?.ticks ?? 0)];
      state.markers.push({ name, start: from, duration: length, comments: comments ?? "", guid });
    });
  }

  /** @param {P.Marker} marker */
  createRemoveMarkerAction(marker) {
    const guid = marker.guid.toString();
    return this.action((state) => {
      state.markers = state.markers.filter((each) => each.guid !== guid);
    });
  }
}

/** @implements {Pick<P.FolderItem, "getItems">} */
class FakeFolder extends Handle {
  async getItems() {
    this.alive("getItems");
    this.host.lookAtBin();
    return this.host.state.media.map((each) => this.host.projectItem(each.pid));
  }
}

/** @implements {Pick<P.Project, "getActiveSequence" | "getSequences" | "getRootItem" | "importFiles" | "executeTransaction" | "lockedAccess" | "name">} */
class FakeProject extends Handle {
  name = "Film";

  async getActiveSequence() {
    this.alive("getActiveSequence");
    return /** @type {P.Sequence} */ (as(this.host.sequenceOpen ? new FakeSequence(this.host) : null));
  }

  async getSequences() {
    this.alive("getSequences");
    return [/** @type {P.Sequence} */ (as(new FakeSequence(this.host)))];
  }

  async getRootItem() {
    this.alive("getRootItem");
    return /** @type {P.FolderItem} */ (as(new FakeFolder(this.host)));
  }

  /**
   * @param {string[]} paths
   * @param {boolean} [_quiet]
   * @param {P.ProjectItem} [target]
   */
  async importFiles(paths, _quiet, target) {
    this.alive("importFiles");
    if (target === undefined) throw new Error("Illegal Parameter type");
    this.host.imports.push(...paths);
    this.host.epoch++;
    return true;
  }

  /**
   * @param {(compound: P.CompoundAction) => void} callback
   * @param {string} [name]
   */
  executeTransaction(callback, name) {
    this.alive("executeTransaction");
    return this.host.execute(callback, name ?? "");
  }

  /** @param {() => void} callback */
  lockedAccess(callback) {
    this.alive("lockedAccess");
    if (this.host.lockStuck) throw new Error("the project is locked");
    this.host.locked = true;
    this.host.lockStuck = true;
    callback();
    this.host.lockStuck = false;
    this.host.locked = false;
  }
}

export class FakePremiere {
  /** @type {Quirks} */
  quirks = {
    ignoresPoints: false,
    ignoresTrack: false,
    timecodePoints: false,
    readOnly: false,
    throwsInTransaction: false,
    importAfter: 0,
    locksTold: false,
    lockedSilently: false,
    noNewTracks: false,
    soundCannotGo: false,
    switchesMore: false,
    playerWithZero: false,
  };

  epoch = 0;
  serial = 0;
  locked = false;
  lockStuck = false;
  sequenceOpen = true;
  projectOpen = true;
  sequenceId = "seq-1";
  sequenceName = "Edit";
  zero = 0n;
  player = 0n;
  /** @type {bigint | null} */
  inPoint = null;
  /** @type {bigint | null} */
  outPoint = null;
  /** Getters that fail. @type {Set<string>} */
  rejecting = new Set();
  /** Such as `video1`. @type {Set<string>} */
  lockedTracks = new Set();
  /** Files that can be imported, by path. @type {Map<string, Partial<MediaState>>} */
  disk = new Map();
  /** @type {string[]} */
  imports = [];
  looks = 0;
  /** Names of undo steps, newest last. @type {{ name: string, before: State }[]} */
  history = [];
  /** Called once before the next transaction: what a person does meanwhile. @type {(() => void) | null} */
  meanwhile = null;

  /** @param {bigint} tick ticks of a frame */
  constructor(tick) {
    this.tick = tick;
    /** @type {State} */
    this.state = { items: [], media: [], markers: [], transitions: [], videoTracks: 3, audioTracks: 2 };
  }

  /** What a panel gets from `require("premierepro")`. */
  get module() {
    const host = this;
    /** @type {{ [K in "Project" | "SequenceEditor" | "ClipProjectItem" | "ProjectItem" | "FolderItem" | "TickTime" | "Markers" | "Marker" | "TrackItemSelection"]: Partial<P.premierepro[K]> } & { Constants: object, ProjectConverter: Partial<P.ProjectConverterStatic> }} */
    const module = {
      Project: { getActiveProject: async () => as(host.projectOpen ? new FakeProject(host) : null) },
      SequenceEditor: { getEditor: () => as(new FakeEditor(host)) },
      ClipProjectItem: { cast: (item) => as(host.castClip(as(item))) },
      ProjectItem: { TYPE_BIN: 2, TYPE_CLIP: 1, cast: (item) => as(item) },
      FolderItem: { cast: (item) => as(item) },
      TickTime: { createWithTicks: (ticks) => time(BigInt(ticks)), TIME_ZERO: time(0n) },
      Markers: { getMarkers: async () => as(new FakeMarkers(host)) },
      Marker: { MARKER_TYPE_COMMENT: "Comment" },
      TrackItemSelection: {
        createEmptySelection(callback) {
          if (!host.locked) throw new Error("a selection must be made inside lockedAccess");
          callback(as(new FakeSelection()));
          return true;
        },
      },
      Constants: { TrackItemType: { CLIP, TRANSITION }, MediaType: { VIDEO: 2, AUDIO: 3 } },
      ProjectConverter: {
        exportAsOpenTimelineIO: async (_sequence, path) => {
          host.exported.push(path);
          return host.exportWorks;
        },
      },
    };
    return /** @type {P.premierepro} */ (as(module));
  }

  /** @type {string[]} */
  exported = [];
  exportWorks = true;

  /**
   * Adds a file to the project.
   * @param {Partial<MediaState> & { path: string }} about
   * @returns {string} its id
   */
  addMedia(about) {
    const pid = `item-${++this.serial}`;
    const name = about.path.split(/[\\/]/).at(-1) ?? "";
    /** @type {MediaState} */
    const plain = {
      pid,
      name,
      path: about.path,
      rate: 25,
      start: 0n,
      duration: 500n * this.tick,
      sound: false,
      kind: "clip",
      subclip: false,
      offline: false,
      inPoint: null,
      outPoint: null,
    };
    this.state.media.push({ ...plain, ...about });
    return pid;
  }

  /**
   * Puts a clip on a track; numbers are frames.
   * @param {string} pid
   * @param {{ track?: number, start: number, count: number, source?: number, kind?: Kind } & Partial<Pick<ItemState, "name" | "disabled" | "speed" | "reversed" | "adjustment" | "selected" | "effects">>} about
   * @returns {number}
   */
  addItem(pid, { track = 0, start, count, source = 0, kind = "video", ...more }) {
    const uid = ++this.serial;
    const [from, length] = [BigInt(start) * this.tick, BigInt(count) * this.tick];
    this.state.items.push({
      uid,
      kind,
      track,
      start: from,
      end: from + length,
      inPoint: BigInt(source) * this.tick,
      disabled: false,
      pid,
      name: this.mediaOf(this.state, pid).name,
      speed: 1,
      reversed: false,
      adjustment: false,
      selected: false,
      effects: { "AE.ADBE Motion": [50], "AE.ADBE Opacity": [100] },
      ...more,
    });
    return uid;
  }

  /** The timeline as text, to be compared; what is in the bin is not part of it. */
  get picture() {
    const { items, markers } = this.state;
    const lines = items.map((i) => `${i.kind}${i.track} ${i.start}-${i.end} in ${i.inPoint} ${i.disabled} ${i.pid}`);
    return [...lines.sort(), ...markers.map((each) => `marker ${each.start} ${each.name}`)].join("\n");
  }

  /** What a person does with the keyboard. */
  undo() {
    const step = this.history.pop();
    if (!step) throw new Error("nothing to undo");
    this.state = step.before;
    this.epoch++;
    return step.name;
  }

  /** @param {number} uid */
  item(uid) {
    return this.itemIn(this.state, uid);
  }

  /**
   * @param {State} state
   * @param {number} uid
   */
  itemIn(state, uid) {
    const found = state.items.find((item) => item.uid === uid);
    if (!found) throw new Error("Script action failed to execute");
    return found;
  }

  /**
   * @param {State} state
   * @param {string} pid
   */
  mediaOf(state, pid) {
    const found = state.media.find((each) => each.pid === pid);
    if (!found) throw new Error(`no project item ${pid}`);
    return found;
  }

  /** @param {string} pid */
  pointBase(pid) {
    return this.quirks.timecodePoints ? this.mediaOf(this.state, pid).start : 0n;
  }

  /** @param {string} pid */
  projectItem(pid) {
    return /** @type {P.ProjectItem} */ (as(new FakeProjectItem(this, pid)));
  }

  /** @param {FakeProjectItem} item */
  castClip(item) {
    item.alive("cast");
    if (this.mediaOf(this.state, item.pid).kind === "title") throw new Error("Illegal Parameter type");
    return new FakeClip(this, item.pid);
  }

  /** Imported files appear after a while, when somebody looks. */
  lookAtBin() {
    if (!this.imports.length || this.looks++ < this.quirks.importAfter) return;
    for (const path of this.imports.splice(0)) {
      const about = this.disk.get(path);
      if (about) this.addMedia({ path, ...about });
    }
  }

  /**
   * @param {Kind} kind
   * @param {number} track
   */
  refuseLocked(kind, track) {
    if (this.lockedTracks.has(`${kind}${track}`)) throw new Error("the track is locked");
  }

  /**
   * @param {(compound: P.CompoundAction) => void} callback
   * @param {string} name
   */
  execute(callback, name) {
    if (!this.locked) throw new Error("transactions must run inside lockedAccess");
    const meanwhile = this.meanwhile;
    this.meanwhile = null;
    meanwhile?.();
    /** @type {FakeAction[]} */
    const actions = [];
    const compound = { empty: false, addAction: (/** @type {P.Action} */ each) => actions.push(as(each)) > 0 };
    callback(compound);
    if (this.quirks.readOnly) return false;
    if (this.quirks.throwsInTransaction) throw new Error("Script action failed to execute");
    const next = structuredClone(this.state);
    try {
      actions.forEach((each) => each.apply(next, this.state));
    } catch {
      return false;
    }
    this.history.push({ name, before: this.state });
    this.state = next;
    this.epoch++;
    return true;
  }

  /**
   * @param {State} state
   * @param {State} committed points are read from here: a transaction does not see its own
   * @param {{ pid: string, at: P.TickTime, videoTrack: number, audioTrack: number }} what
   */
  overwrite(state, committed, { pid, at, videoTrack, audioTrack }) {
    const media = this.mediaOf(committed, pid);
    const first = this.quirks.ignoresPoints ? 0n : (media.inPoint ?? 0n);
    const stop = this.quirks.ignoresPoints ? media.duration : (media.outPoint ?? media.duration);
    const start = BigInt(at.ticks);
    const place = { pid, start, end: start + (stop - first), inPoint: first, name: media.name };
    this.put(state, "video", this.quirks.ignoresTrack ? 0 : videoTrack, place);
    // There is no number for "no sound": a negative one means the lowest track.
    if (media.sound) this.put(state, "audio", audioTrack < 0 ? 0 : audioTrack, place);
  }

  /**
   * @param {State} state
   * @param {Kind} kind
   * @param {number} wanted
   * @param {Pick<ItemState, "pid" | "start" | "end" | "inPoint" | "name">} place
   */
  put(state, kind, wanted, place) {
    const count = kind === "video" ? state.videoTracks : state.audioTracks;
    if (wanted >= count && this.quirks.noNewTracks) return;
    const track = Math.min(wanted, count);
    if (this.quirks.lockedSilently && this.lockedTracks.has(`${kind}${track}`)) return;
    this.refuseLocked(kind, track);
    if (kind === "video") state.videoTracks = Math.max(count, track + 1);
    else state.audioTracks = Math.max(count, track + 1);
    state.items = state.items.flatMap((item) => this.without(item, kind, track, place));
    const effects = { "AE.ADBE Motion": [50], "AE.ADBE Opacity": [100] };
    const plain = { disabled: false, speed: 1, reversed: false, adjustment: false, selected: false, effects };
    state.items.push({ uid: ++this.serial, kind, track, ...place, ...plain });
  }

  /**
   * What an overwrite leaves of an item.
   * @param {ItemState} item
   * @param {Kind} kind
   * @param {number} track
   * @param {{ start: bigint, end: bigint }} place
   * @returns {ItemState[]}
   */
  without(item, kind, track, { start, end }) {
    if (item.kind !== kind || item.track !== track || item.end <= start || end <= item.start) return [item];
    const head = item.start < start ? [{ ...item, end: start }] : [];
    const shift = end - item.start;
    const tail = end < item.end ? [{ ...item, uid: ++this.serial, start: end, inPoint: item.inPoint + shift }] : [];
    return [...head, ...tail];
  }
}
