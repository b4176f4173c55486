// A layer's container as the page uses it, and what can be read from its palette entries.

import { CLIPPED_HIGH, CLIPPED_LOW, FIRST, HATCH, LAST } from "./tables.js";
import { MINUS_INFINITY, PLUS_INFINITY } from "./tables.js";

/** @import {Container, Figures, Group, LayerData} from "./types" */

/**
 * @param {string} key
 * @param {Container} container
 * @returns {LayerData}
 */
export function layerOf(key, { header, sections }) {
  const entries = sections.entries;
  const [channels, slices, height, width] = entries.shape;
  return {
    key,
    channels,
    slices,
    height,
    width,
    entries: /** @type {Uint8Array} */ (entries.data),
    lo: sections.lo.data,
    hi: sections.hi.data,
    signed: Boolean(header.signed),
    arrangement: header.arrangement ?? arrangementOf(slices, height, width),
    constant: new Set(header.constant ?? []),
    groups: header.groups ?? [],
    sliceNumbers: header.slices ?? Array.from({ length: slices }, (_, i) => i),
    sizes: header.sizes ?? "",
    letters: header.letters ?? {
      channels: "channels",
      slices: null,
      rows: "height",
      columns: "width",
    },
    notes: [header.left_out, ...(header.notes ?? [])].filter(Boolean),
    bytes: entries.data.byteLength,
  };
}

/** @param {number} slices @param {number} height @param {number} width */
const arrangementOf = (slices, height, width) =>
  slices * height * width === 1 ? "strip" : slices * height === 1 ? "rows" : "mosaic";

/**
 * One plane's entries: height × width.
 * @param {LayerData} layer @param {number} channel @param {number} slice
 */
export function plane(layer, channel, slice) {
  const size = layer.height * layer.width;
  const start = (channel * layer.slices + slice) * size;
  return layer.entries.subarray(start, start + size);
}

/**
 * About the value that an entry stands for.
 * @param {LayerData} layer @param {number} channel @param {number} entry
 * @returns {number}
 */
export function valueOf(layer, channel, entry) {
  const lo = layer.lo[channel];
  const hi = layer.hi[channel];
  if (entry <= LAST) return lo + ((entry - FIRST) / (LAST - FIRST)) * (hi - lo);
  if (HATCH.includes(entry) || entry === CLIPPED_LOW) return lo;
  if (entry === CLIPPED_HIGH) return hi;
  if (PLUS_INFINITY.includes(entry)) return Infinity;
  if (MINUS_INFINITY.includes(entry)) return -Infinity;
  return Number.NaN;
}

/**
 * Each node's figures, from the container that holds all of them in one array a figure.
 * @param {Container} container
 * @param {number} node
 * @returns {Figures | null}
 */
export function figuresOf({ header, sections }, node) {
  const start = header.offsets[node];
  const stop = header.offsets[node + 1] ?? sections.min.data.length;
  if (start === undefined || start === null || start === stop) return null;
  /** @param {string} name */
  const part = (name) => /** @type {Float32Array} */ (sections[name].data).subarray(start, stop);
  return {
    min: part("min"),
    max: part("max"),
    mean: part("mean"),
    energy: part("energy"),
    zeros: part("zeros"),
  };
}

/**
 * The channels of each group in the order wanted; without groups one group of all.
 * @param {LayerData} layer
 * @param {Figures | null} figures
 * @param {string} sort  "index", or the figure that decides, largest first
 * @returns {{label: string, channels: number[]}[]}
 */
export function ordered(layer, figures, sort) {
  /** @type {Group[]} */
  const whole = [{ label: "", start: 0, stop: layer.channels }];
  const groups = layer.groups.length > 1 ? layer.groups : whole;
  return groups.map(({ label, heading, start, stop }) => {
    const channels = Array.from({ length: stop - start }, (_, i) => start + i);
    const by = figures?.[/** @type {keyof Figures} */ (sort)];
    if (by) channels.sort((a, b) => key(by[b]) - key(by[a]) || a - b);
    return { label: heading ?? label, channels };
  });
}

/** @param {number} value */
const key = (value) => (Number.isNaN(value) ? -Infinity : value);

/**
 * How far each channel reaches, as a share (0 to 1) of the furthest.
 * @param {LayerData} layer
 * @param {Figures | null} figures
 * @returns {Float64Array}
 */
export function strengths(layer, figures) {
  const low = figures?.min ?? layer.lo;
  const high = figures?.max ?? layer.hi;
  const reach = new Float64Array(layer.channels);
  let most = 0;
  for (let c = 0; c < layer.channels; c++) {
    const own = Math.max(Math.abs(low[c]), Math.abs(high[c]));
    reach[c] = Number.isFinite(own) ? own : 0;
    most = Math.max(most, reach[c]);
  }
  return most > 0 ? reach.map((value) => value / most) : reach;
}

/**
 * Figures read from the entries, where Python gave none.
 * @param {LayerData} layer
 * @returns {Figures}
 */
export function figuresFrom(layer) {
  const count = layer.channels;
  const size = layer.slices * layer.height * layer.width;
  const [min, max, mean, energy, zeros] = Array.from({ length: 5 }, () => new Float64Array(count));
  const held = new Uint32Array(256);
  for (let c = 0; c < count; c++) {
    held.fill(0);
    for (let i = c * size; i < (c + 1) * size; i++) held[layer.entries[i]]++;
    min[c] = Infinity;
    max[c] = -Infinity;
    let counted = 0;
    held.forEach((times, entry) => {
      const value = valueOf(layer, c, entry);
      if (!times || !Number.isFinite(value)) return;
      counted += times;
      min[c] = Math.min(min[c], value);
      max[c] = Math.max(max[c], value);
      mean[c] += times * value;
      energy[c] += times * value * value;
      if (value === 0) zeros[c] += times;
    });
    if (!counted) min[c] = max[c] = mean[c] = energy[c] = Number.NaN;
    else [mean[c], energy[c], zeros[c]] = [mean[c] / counted, energy[c] / counted, zeros[c] / size];
  }
  return { min, max, mean, energy, zeros };
}

/**
 * The figures of one channel's exact values, as those of a layer that has only it.
 * @param {ArrayLike<number>} values
 */
export function figuresOfValues(values) {
  let [min, max, sum, zeros, counted] = [Infinity, -Infinity, 0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value === 0) zeros++;
    if (!Number.isFinite(value)) continue;
    counted++;
    sum += value;
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  if (!counted) min = max = sum = Number.NaN;
  return { min: [min], max: [max], mean: [sum / counted], zeros: [zeros / values.length] };
}
