/** Shapes of what travels: fields go by the proto's names (cleanplate/v1/picker.proto), 64-bit numbers are decimal text. */

export type Side = "SIDE_INSIDE" | "SIDE_OUTSIDE";
export type Place = { x: number; y: number };
export type Point = Place & { side: Side };
export type Box = { x0: number; y0: number; x1: number; y1: number };
export type Stroke = { points: Place[]; radius_px: number; side: Side };

export type Prompt = {
  frame: string;
  object_id: number;
  points: Point[];
  box?: Box;
  strokes: Stroke[];
  object_name: string;
  name_hit: number;
};

export type PromptedFrame = {
  prompt: Prompt;
  edits: Stroke[];
  has_base: boolean;
  candidate_count: number;
  chosen: number;
  score: number;
  revision: string;
  problem: string;
};

export type PickedObject = {
  object_id: number;
  name: string;
  color: string;
  hidden: boolean;
  prompts: PromptedFrame[];
};

export type Span = { start_frame: string; frame_count: string; handle_frame_count: number };
export type Rational = { numerator: string; denominator: string };
export type EngineChoice = { kind: string; name: string };
export type EngineUse = EngineChoice & { licence: string; commercial_use: boolean; weights_sha256: string };

export type Model = EngineChoice & { available: boolean; unavailable_reason: string; licence: string; commercial_use: boolean };

export type TakeSettings = {
  grow_px?: number;
  feather_px?: number;
  with_shadow: boolean;
  effort: string;
  delivery: string;
  engines: EngineChoice[];
  codec: string;
};

export type Clip = {
  height: number;
  width: number;
  frame_count: string;
  frame_rate: Rational;
  pixel_aspect?: Rational;
  start_timecode: string;
  codec: string;
};

export type Run = {
  kind: "PROPAGATE" | "SHADOW";
  state: "RUNNING" | "DONE" | "STOPPED" | "FAILED" | "INTERRUPTED";
  done_frame_count: string;
  frame_count: string;
  frames_per_second: number;
  message: string;
  learned_update_count: string;
  update_count: string;
  notes: string[];
};

export type JobState = "PENDING" | "RUNNING" | "SUCCEEDED" | "FAILED" | "CANCELLED";

export type PickedTake = {
  job: string;
  preview: boolean;
  range: Span;
  settings: TakeSettings;
  state: JobState;
  file_name: string;
  create_time?: string;
  end_time?: string;
  engines: EngineUse[];
  unseen_share?: number;
  message: string;
};

export type StageProgress = {
  stage: string;
  done_frame_count: string;
  frame_count: string;
  frames_per_second: number;
};

export type Job = {
  name: string;
  state: JobState;
  stages: StageProgress[];
  error?: { message: string };
  notes: string[];
  memory_estimate_bytes: string;
};

export type Shot = { name: string; host: string; clip_name: string; state: string; message: string };

export type Session = {
  name: string;
  revision: string;
  title: string;
  clip: Clip;
  range: Span;
  prompt_frame: string;
  objects: PickedObject[];
  cuts: string[];
  cuts_known: boolean;
  settings: TakeSettings;
  default_grow_px: number;
  default_feather_px: number;
  run?: Run;
  takes: PickedTake[];
  suggested_path: string;
  closed: boolean;
  shot?: Shot;
};

export type FrameState = "NONE" | "KEY" | "FOLLOWED" | "HALF" | "STALE";
export type TrackedFrame = { frame: string; state: FrameState; confidence: number; revision: string };
export type Track = { object_id: number; replace: boolean; frames: TrackedFrame[] };

export type Candidate = { mask: { png: string }; score: number; box?: Box };
export type PromptAnswer = { candidates: Candidate[]; engine: string; prompted: PromptedFrame; revision: string };

export type Estimate = {
  memory_bytes: string;
  allowed_memory_bytes: string;
  duration_seconds: number;
  duration_measured: boolean;
  engines: EngineUse[];
  frame_count: string;
  unfollowed_frame_count: string;
  notes: string[];
};

/** What a person has said of one object on one frame. */
export type Said = {
  points: Point[];
  box?: Box;
  strokes: Stroke[];
  name: string;
  hit: number;
  edits: Stroke[];
  base: boolean;
};

/** What was said and has not been answered yet, or was refused. */
export type Draft = { said: Said; problem: string };

export type Tool = "point" | "brush" | "erase" | "hand";
export type Mode = "mask" | "matte" | "hole" | "after" | "wipe" | "difference";
export type Connection = "opening" | "live" | "lost" | "locked" | "missing";

/** All that the page knows. */
export type State = {
  session: Session | null;
  tracks: Map<number, Map<number, TrackedFrame>>;
  jobs: Map<string, Job>;
  drafts: Map<string, Draft>;
  frame: number;
  first: number;
  last: number;
  reelFirst: number;
  reelLast: number;
  speed: number;
  object: number;
  tool: Tool;
  brush: number;
  mode: Mode;
  unseen: boolean;
  chosen: string;
  wipe: number;
  zoom: number;
  cross: Place | null;
  sliding: TakeSettings | null;
  estimate: Estimate | null;
  models: Model[];
  connection: Connection;
  waiting: number;
  status: string;
  failure: string;
  language: string;
  undo: string;
  redo: string;
};
