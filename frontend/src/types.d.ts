/** What travels between Python and the page; README.md describes it in words. */

export interface Section {
  dtype: "u1" | "i4" | "f4" | "f8";
  shape: number[];
  data: Uint8Array | Int32Array | Float32Array | Float64Array;
}

export interface Container {
  header: Record<string, any>;
  sections: Record<string, Section>;
}

export interface ModelInfo {
  id: string;
  title: string;
  file: string | null;
  format: string | null;
  framework: string | null;
  notes?: string[];
  parameters?: number;
  sha256?: string | null;
}

export interface Operation {
  kind: string;
  [field: string]: unknown;
}

export interface Node {
  name: string;
  index: number | null;
  layer: string;
  type: string;
  summary?: string;
  operation: Operation;
  inputs: string[];
  shape: (number | null)[];
  axes: string;
  parameters: number;
}

export interface InputRecord {
  name: string;
  file: string | null;
  shape: number[];
  axes: string;
  steps: string[];
}

export interface Run {
  id: string;
  model: number;
  label: string;
  inputs: InputRecord[];
  original: { height: number; width: number } | null;
  predictions: [string, number][];
  /** Of a training record: which picture, and after how many epochs. */
  picture?: number;
  epoch?: number;
  /** The run whose preview is the same picture. */
  preview?: string;
}

/** Figures of every finished epoch, by their columns; null where one is missing. */
export interface History {
  epoch: number[];
  [name: string]: (number | null)[];
}

/** The range of a layer, and of each channel, over all epochs; whether it is drawn around 0. */
export interface WholeRange {
  low: number;
  high: number;
  signed: boolean;
  channels?: { low: (number | null)[]; high: (number | null)[] } | null;
}

/**
 * What makes a film of the runs. Lists by node, inputs and layers together; ``dead`` and
 * ``zeros`` within them by recorded epoch.
 */
export interface RecordInfo {
  pictures: string[];
  epochs: number[];
  growing: boolean;
  /** How many epochs the training was to take. */
  planned?: number | null;
  history: History;
  best: number | null;
  ranges: (WholeRange | null)[];
  dead: (number | null)[][];
  zeros: (number | null)[][];
  channels: number[];
  kernels: number[];
}

/** What a record that grows has become. */
export interface Grown {
  record: RecordInfo;
  runs: Run[];
}

export interface Finding {
  level: string;
  code: string;
  node: string | null;
  message: string;
  remedy: string;
}

/** A piece of the strip of layers: a layer, parallel branches, or layers folded under a title. */
export type Piece =
  | { node: number }
  | { branches: Piece[][]; fork?: number; join?: number }
  | { fold: string; items: Piece[] };

export interface Manifest {
  layerscope: string;
  models: ModelInfo[];
  inputs: Node[];
  nodes: Node[];
  outputs: string[];
  classes: string[] | null;
  runs: Run[];
  findings: Finding[];
  strip?: Piece[];
  settings: {
    colormaps?: string[];
    limits?: { upload_bytes?: number; upload_pixels?: number };
    initial?: { colormap?: string | null; scale?: string | null };
  };
  can: { run: boolean; exact: boolean; explain: boolean; field: boolean; export: boolean };
  left_out: string | null;
  record?: RecordInfo | null;
}

export interface Progress {
  phase: string;
  detail?: string;
  fraction: number | null;
}

export interface Place {
  slice: number;
  row: number;
  column: number;
}

export interface Field {
  input: string;
  axes?: string;
  ranges: [number, number][];
  status: string;
  notes: string[];
  picture: { top: number; left: number; bottom: number; right: number } | null;
}

/** Where everything that the page shows comes from. */
export interface Store {
  kind: "http" | "inline" | "comm";
  manifest(onProgress: (progress: Progress) => void): Promise<Manifest>;
  preview(run: string, input?: number): Promise<Container>;
  statistics(run: string): Promise<Container>;
  thumbnails(run: string): Promise<Container>;
  layer(run: string, node: number, options?: Wanted): Promise<Container>;
  exact(run: string, node: number, channel: number, options?: Wanted): Promise<Container>;
  value(
    run: string,
    node: number,
    channel: number,
    at: Place,
    options?: Wanted,
  ): Promise<{ value: string }>;
  explain(
    run: string,
    node: number,
    channel: number,
    at: Place | null,
    options?: Wanted,
  ): Promise<Container>;
  field(run: string, node: number, channel: number, at: Place, options?: Wanted): Promise<Field[]>;
  kernels(node: number, epoch: number): Promise<Container>;
  record(): Promise<Grown>;
  run(
    file: Blob,
    name: string,
    target: { model: number; from?: string; input?: number },
    onProgress: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<Run>;
  remove(run: string): Promise<void>;
  exportPicture(run: string, node: number, query: Record<string, string>): Promise<Blob>;
  exportArray(run: string, node: number, options?: Wanted): Promise<Blob>;
}

/** minus: a run to be subtracted. all: every row of an explanation. */
export interface Wanted {
  minus?: string;
  all?: boolean;
  signal?: AbortSignal;
}

export type Compare = "beside" | "difference";

/** What the page's address holds, and more: everything that a person has chosen. */
export interface Choice {
  node: number;
  run: string;
  other: string | null;
  compare: Compare;
  channel: number | null;
  place: Place | null;
  colormap: string;
  scale: string;
  clip: number;
  sort: string;
  zoom: number;
  overlay: number;
  explain: boolean;
  /** Of two runs that are compared, the one that is explained. */
  explained: "run" | "other";
}

/** Channels that belong together; first: the channel of ``from`` that ``start`` is a copy of. */
export interface Group {
  label: string;
  heading?: string;
  start: number;
  stop: number;
  from?: string | null;
  first?: number;
}

/** One layer of one run, ready to be drawn. */
export interface LayerData {
  key: string;
  channels: number;
  slices: number;
  height: number;
  width: number;
  entries: Uint8Array;
  lo: ArrayLike<number>;
  hi: ArrayLike<number>;
  signed: boolean;
  arrangement: "mosaic" | "rows" | "strip";
  constant: Set<number>;
  groups: Group[];
  sliceNumbers: number[];
  sizes: string;
  letters: { channels: string; slices: string | null; rows: string | null; columns: string | null };
  notes: string[];
  bytes: number;
}

/** Each channel's figures. */
export interface Figures {
  min: Float32Array | Float64Array;
  max: Float32Array | Float64Array;
  mean: Float32Array | Float64Array;
  energy: Float32Array | Float64Array;
  zeros: Float32Array | Float64Array;
}
