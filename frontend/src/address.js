// The page's address: everything that a person has chosen, after the #, to be sent to others.

import { isColormap } from "./colours.js";
import { numbersOf } from "./scales.js";

/** @import {Choice, Manifest} from "./types" */

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
});

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
  const label = (/** @type {string | null} */ id) => runName(manifest, id);
  put("layer", everyNode(manifest)[choice.node]?.name ?? null, null);
  put("channel", choice.channel, null);
  if (choice.place) {
    const { slice, row, column } = choice.place;
    put("at", (slice ? [slice, row, column] : [row, column]).join(","), null);
  }
  if (manifest.runs.length > 1) put("picture", label(choice.run), label(manifest.runs[0].id));
  put("with", label(choice.other), null);
  if (choice.other) put("view", choice.compare, USUAL.compare);
  put("colours", choice.colormap, USUAL.colormap);
  put("scale", choice.scale, USUAL.scale);
  put("clip", choice.clip, USUAL.clip);
  put("sort", choice.sort, USUAL.sort);
  put("zoom", choice.zoom, USUAL.zoom);
  put("overlay", choice.overlay, USUAL.overlay);
  put("explain", choice.explain && "yes", false);
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
  const run = runOf(manifest, fields.get("picture")) ?? manifest.runs[0]?.id ?? "";
  const colormap = fields.get("colours") ?? "";
  const scale = fields.get("scale") ?? "";
  const other = runOf(manifest, fields.get("with"));
  const [column, row, slice = 0] = at.toReversed();
  const placed = channel !== null && row != null && column !== null;
  return {
    node: named >= 0 ? named : firstLayer(manifest),
    run,
    other: other === run ? null : other,
    compare: fields.get("view") === "difference" ? "difference" : "beside",
    channel,
    place: placed ? { slice: slice ?? 0, row, column } : null,
    colormap: isColormap(colormap) ? colormap : USUAL.colormap,
    scale: SCALES.includes(scale) || numbersOf(scale) ? scale : USUAL.scale,
    clip: one(CLIPS, Number(fields.get("clip")), USUAL.clip),
    sort: one(SORTS, fields.get("sort") ?? "", USUAL.sort),
    zoom: Math.min(64, whole(fields.get("zoom")) ?? USUAL.zoom),
    overlay: Math.min(1, Math.max(0, Number(fields.get("overlay")) || 0)),
    explain: fields.get("explain") === "yes",
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

/** A run's label, or its identifier where several share the label. @param {Manifest} manifest @param {string | null} id */
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
