/** Shapes of what travels: fields go by the proto's names, and 64-bit numbers are decimal text. */

export type SequenceFacts = {
  id: string;
  name: string;
  ticks_per_frame: string;
  zero_ticks: string;
  drop_frame: boolean;
  player_ticks: string;
  in_ticks?: string;
  out_ticks?: string;
  video_track_count: number;
};

export type TransitionFacts = { start_ticks: string; end_ticks: string };

export type ItemFacts = {
  id: string;
  name: string;
  track_index: number;
  track_locked?: boolean;
  disabled: boolean;
  start_ticks: string;
  end_ticks: string;
  in_ticks: string;
  out_ticks: string;
  speed: number;
  reversed: boolean;
  adjustment_layer: boolean;
  has_media: boolean;
  is_sequence: boolean;
  is_multicam: boolean;
  is_offline: boolean;
  is_merged: boolean;
  is_subclip: boolean;
  media_path: string;
  project_item_id: string;
  media_frame_rate: number;
  media_start_ticks: string;
  media_duration_ticks: string;
  transitions: TransitionFacts[];
};

export type Facts = { version: string; sequence: SequenceFacts; item?: ItemFacts };

export type Placement = {
  path: string;
  start_frame: string;
  frame_count: string;
  record_offset: string;
  record_frame_count: string;
  whole_clip: boolean;
  delivery: string;
  marker_name: string;
  marker_note: string;
  marker_data: string;
};

export type StageProgress = { stage: string; done_frame_count: string; frame_count: string };

export type Shot = {
  name: string;
  clip_name: string;
  page: string;
  state: string;
  job?: { stages?: StageProgress[] };
  placement?: Placement;
  message: string;
};

/** Where the gateway listens and what it asks for. */
export type Connection = { address: string; token: string };

/** A shot that is under way; kept so that a panel that was closed can go on. */
export type Pending = { shot: string; clip: string; page: string; facts: Facts };

/** What UXP gives that is used here; its own types are not needed for so little. */
export type UxpEntry = { name: string; nativePath: string; isFolder: boolean };
export type UxpFile = UxpEntry & { read(): Promise<string> };
export type UxpFolder = UxpEntry & { getEntry(name: string): Promise<UxpEntry> };
export type UxpFileSystem = {
  getFolder(): Promise<UxpFolder | null>;
  getFileForSaving(name: string, options: { types: string[] }): Promise<UxpFile | null>;
  createPersistentToken(entry: UxpEntry): Promise<string>;
  getEntryForPersistentToken(token: string): Promise<UxpEntry>;
};
export type Uxp = {
  entrypoints: { setup(points: object): void };
  host: { name: string; version: string; uiLocale: string };
  shell: { openExternal(url: string, why: string): Promise<string> };
  storage: { localFileSystem: UxpFileSystem };
};

/** What keeps small texts between sessions. */
export type Keeper = {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
};
