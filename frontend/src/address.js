// The page's address: everything that a person has chosen, after the #, to be sent to others.

import { isColormap } from "./colours.js";
import { nearest, pictureName, runAt } from "./film/epochs.js";
import { numbersOf } from "./scales.js";

/** @import {Choice, Manifest, RecordInfo} from "./types" */

export const SCALES = ["channel", "layer", "symmetric"];
export const SORTS = ["index", "energy", "mean", "max", "zeros"];
export const CLIPS = [0, 99.9, 99, 95];

/** What is shown where the address says nothing. */
export const USUAL = Object.freeze({
  other: null,
  compare: /** @type {const} */ ("beside"),
  channel: null,
  place: null,
  colormap: "auto",
  scale: "channel",
  clip: 0,
  sort: "index",
  zoom: 0,
  overlay: 0,
  explain: false,
  explained: /** @type {const} */ ("run"),
});

/** How maps are coloured where the address says nothing. @param {Manifest} manifest */
function usual({ settings, record }) {
  const { colormap = "", scale = "" } = settings.initial ?? {};
  return {
    colormap: colormap && isColormap(colormap) ? colormap : USUAL.colormap,
    scale: scale && isScale(scale, record) ? scale : USUAL.scale,
  };
}

/** The scales that there are. @param {RecordInfo | null} [record] */
export const scalesOf = (record) => {
  const each = record?.ranges.some((range) => range?.channels) ? ["epochs-channel"] : [];
  return record ? ["epochs", ...each, ...SCALES] : SCALES;
};

/** @param {string} scale @param {RecordInfo | null} [record] */
const isScale = (scale, record) => scalesOf(record).includes(scale) || numbersOf(scale) !== null;

/** @param {Manifest} manifest */
export const everyNode = (manifest) => [...manifest.inputs, ...manifest.nodes];

/**
 * @param {Choice} choice
 * @param {Manifest} manifest
 * @returns {string}
 */
export function write(choice, manifest) {
  const fields = new URLSearchParams();
  /** @param {string} name @param {string | number | null | false} value @param {unknown} usual */
  const put = (name, value, usual) => {
    if (value !== null && value !== usual && value !== false) fields.set(name, String(value));
  };
  const begins = usual(manifest);
  put("layer", everyNode(manifest)[choice.node]?.name ?? null, null);
  put("channel", choice.channel, null);
  if (choice.place) {
    const { slice, row, column } = choice.place;
    put("at", (slice ? [slice, row, column] : [row, column]).join(","), null);
  }
  for (const [name, value] of namesOf(choice, manifest)) put(name, value, null);
  if (choice.other) put("view", choice.compare, USUAL.compare);
  put("colours", choice.colormap, begins.colormap);
  put("scale", choice.scale, begins.scale);
  put("clip", choice.clip, USUAL.clip);
  put("sort", choice.sort, USUAL.sort);
  put("zoom", choice.zoom, USUAL.zoom);
  put("overlay", choice.overlay, USUAL.overlay);
  put("explain", choice.explain && (choice.explained === "other" ? "with" : "yes"), false);
  return `#${fields.toString().replaceAll("%2C", ",").replaceAll("%2F", "/")}`;
}

/**
 * @param {string} fragment  with or without its #
 * @param {Manifest} manifest
 * @returns {Choice}
 */
export function read(fragment, manifest) {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  const nodes = everyNode(manifest);
  const named = nodes.findIndex((node) => node.name === fields.get("layer"));
  const channel = whole(fields.get("channel"));
  const at = (fields.get("at") ?? "").split(",").map(whole);
  const { run, other } = manifest.record
    ? filmRuns(fields, manifest, manifest.record)
    : plainRuns(fields, manifest);
  const begins = usual(manifest);
  const explain = fields.get("explain");
  const colormap = fields.get("colours") ?? "";
  const scale = fields.get("scale") ?? "";
  const [column, row, slice = 0] = at.toReversed();
  const placed = channel !== null && row != null && column !== null;
  return {
    node: named >= 0 ? named : firstLayer(manifest),
    run,
    other,
    compare: fields.get("view") === "difference" ? "difference" : "beside",
    channel,
    place: placed ? { slice: slice ?? 0, row, column } : null,
    colormap: colormap === USUAL.colormap || isColormap(colormap) ? colormap : begins.colormap,
    scale: isScale(scale, manifest.record) ? scale : begins.scale,
    clip: one(CLIPS, Number(fields.get("clip")), USUAL.clip),
    sort: one(SORTS, fields.get("sort") ?? "", USUAL.sort),
    zoom: Math.min(64, whole(fields.get("zoom")) ?? USUAL.zoom),
    overlay: Math.min(1, Math.max(0, Number(fields.get("overlay")) || 0)),
    explain: explain === "yes" || (explain === "with" && other !== null),
    explained: explain === "with" && other !== null ? "other" : "run",
  };
}

/** @param {Manifest} manifest */
function firstLayer(manifest) {
  return Math.min(manifest.inputs.length, everyNode(manifest).length - 1);
}

/** @template T @param {T[]} known @param {T} value @param {T} usual @returns {T} */
const one = (known, value, usual) => (known.includes(value) ? value : usual);

/** @param {string | null | undefined} text @returns {number | null} */
const whole = (text) => (text && /^\d{1,9}$/.test(text) ? Number(text) : null);

/**
 * What the address calls the runs that are shown.
 * @param {Choice} choice @param {Manifest} manifest
 * @returns {[string, string | number | null][]}
 */
function namesOf({ run, other }, manifest) {
  const { record, runs } = manifest;
  const [first, second] = [run, other].map((id) => runs.find((one) => one.id === id));
  if (!record) {
    const name = runName(manifest, run);
    const usual = runName(manifest, runs[0]?.id ?? null);
    return [["picture", name === usual ? null : name], ["with", runName(manifest, other)]];
  }
  const newest = record.growing && first?.epoch === record.epochs.at(-1);
  return [
    ["picture", first?.picture ? pictureName(record, first.picture) : null],
    // Whoever looks at a training's newest epoch is shown the newest one again.
    ["epoch", newest ? null : (first?.epoch ?? null)],
    ["with", second?.epoch ?? null],
  ];
}

/** @param {URLSearchParams} fields @param {Manifest} manifest */
function plainRuns(fields, manifest) {
  const run = runOf(manifest, fields.get("picture")) ?? manifest.runs[0]?.id ?? "";
  const other = runOf(manifest, fields.get("with"));
  return { run, other: other === run ? null : other };
}

/**
 * The runs of a record: a picture at the epoch that is nearest to the one that is named.
 * @param {URLSearchParams} fields @param {Manifest} manifest @param {RecordInfo} record
 */
function filmRuns(fields, manifest, record) {
  const { epochs, pictures } = record;
  const named = pictures.findIndex((_, i) => pictureName(record, i) === fields.get("picture"));
  const picture = Math.max(0, named);
  const against = whole(fields.get("with"));
  const epoch = nearest(epochs, whole(fields.get("epoch")) ?? Infinity);
  const other = against === null ? null : runAt(manifest, picture, nearest(epochs, against));
  return {
    run: runAt(manifest, picture, epoch)?.id ?? manifest.runs[0]?.id ?? "",
    other: other?.id ?? null,
  };
}

/**
 * A run's label, or its identifier where several share the label.
 * @param {Manifest} manifest @param {string | null} id
 */
function runName(manifest, id) {
  const run = manifest.runs.find((one) => one.id === id);
  if (!run) return null;
  const same = manifest.runs.filter((one) => one.label === run.label);
  return same.length > 1 ? run.id : run.label;
}

/** @param {Manifest} manifest @param {string | null} name @returns {string | null} */
function runOf(manifest, name) {
  if (name === null) return null;
  const found = manifest.runs.find((run) => runName(manifest, run.id) === name);
  return (found ?? manifest.runs.find((run) => run.id === name))?.id ?? null;
}
