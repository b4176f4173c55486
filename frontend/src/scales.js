// Scales: which range of values each channel's colours span, as one table of pixels a channel.

import { isDiverging, palette } from "./colours.js";
import { CLIPPED_HIGH, CLIPPED_LOW, FIRST, LAST } from "./tables.js";

/** @import {Figures, LayerData, WholeRange} from "./types" */

const STEPS = LAST - FIRST;
const BINS = 8192;
const EACH = "epochs-channel";

/**
 * @typedef {object} Ranges
 * @property {Float64Array} vmin
 * @property {Float64Array} vmax
 * @property {"zero" | "centre" | "low"} start  where ranges begin
 * @property {boolean} shared  whether all channels have one range
 * @property {boolean} bounded  whether values may lie outside
 */

/**
 * Two numbers from text such as "-1,1", or null.
 * @param {string} text
 * @returns {[number, number] | null}
 */
export function numbersOf(text) {
  const parts = text.split(",").map((part) => Number.parseFloat(part));
  return parts.length === 2 && parts.every(Number.isFinite) && parts[0] < parts[1]
    ? [parts[0], parts[1]]
    : null;
}

/**
 * The range of each channel over all given layers (more than one are put on one scale).
 * @param {LayerData[]} layers
 * @param {(Figures | null)[]} figures  null where not known: what the entries span is used
 * @param {string} scale  "channel", "layer", "symmetric", "epochs", "epochs-channel" or "LO,HI"
 * @param {string} colormap
 * @param {number} clip  a percentile above 50, or 0 for none
 * @param {WholeRange | null} [whole]  over all epochs, for the scales of that name
 * @returns {Ranges}
 */
export function rangesOf(layers, figures, scale, colormap, clip, whole = null) {
  const count = layers[0].channels;
  const vmin = new Float64Array(count);
  const vmax = new Float64Array(count);
  const signed = whole ? whole.signed : layers.some((layer) => layer.signed);
  const centred = isDiverging(colormap) || scale === "symmetric";
  const start = centred ? "centre" : signed ? "low" : "zero";
  const numbers = numbersOf(scale);
  if (numbers) {
    vmin.fill(numbers[0]);
    vmax.fill(numbers[1]);
    return { vmin, vmax, start, shared: true, bounded: true };
  }
  if (whole) {
    const each = scale === EACH && layers[0].arrangement !== "strip" ? whole.channels : null;
    for (let c = 0; c < count; c++) {
      const [low, high] = each ? [each.low[c], each.high[c]] : [whole.low, whole.high];
      [vmin[c], vmax[c]] = span(low ?? Number.NaN, high ?? Number.NaN, start);
    }
    return { vmin, vmax, start, shared: !each, bounded: false };
  }
  const own = scale === "channel" && layers[0].arrangement !== "strip";
  const edge = clip > 50 && clip < 100 ? clip : 0;
  let low = Infinity;
  let high = -Infinity;
  for (let c = 0; c < count; c++) {
    let [least, most] = extremes(layers, figures, c);
    low = Math.min(low, least);
    high = Math.max(high, most);
    if (own) {
      if (edge) [least, most] = percentiles(layers, [c], edge, start, least, most);
      [vmin[c], vmax[c]] = span(least, most, start);
    }
  }
  if (!own) {
    if (layers[0].arrangement === "strip" && count === 1) {
      [low, high] = [Math.min(low, 0), Math.max(high, 0)];
    }
    const every = Array.from({ length: count }, (_, c) => c);
    if (edge) [low, high] = percentiles(layers, every, edge, start, low, high);
    [low, high] = span(low, high, start);
    vmin.fill(low);
    vmax.fill(high);
  }
  return { vmin, vmax, start, shared: !own, bounded: edge > 0 };
}

/**
 * @param {LayerData[]} layers
 * @param {(Figures | null)[]} figures
 * @param {number} channel
 * @returns {[number, number]}
 */
function extremes(layers, figures, channel) {
  let low = Infinity;
  let high = -Infinity;
  layers.forEach((layer, i) => {
    const known = figures[i];
    const least = known ? known.min[channel] : layer.lo[channel];
    const most = known ? known.max[channel] : layer.hi[channel];
    if (least < low) low = least;
    if (most > high) high = most;
  });
  return [low, high];
}

/**
 * @param {number} low
 * @param {number} high
 * @param {Ranges["start"]} start
 * @returns {[number, number]}
 */
function span(low, high, start) {
  if (!(low <= high)) return [Number.NaN, Number.NaN];
  if (start === "zero") return [0, high];
  if (start === "centre") {
    const reach = Math.max(Math.abs(low), Math.abs(high));
    return [-reach, reach];
  }
  return [low, high];
}

/**
 * Ranges that end at a percentile of the values (of their magnitudes where centred).
 * @param {LayerData[]} layers
 * @param {number[]} channels
 * @param {number} clip
 * @param {Ranges["start"]} start
 * @param {number} low
 * @param {number} high
 * @returns {[number, number]}
 */
function percentiles(layers, channels, clip, start, low, high) {
  if (!(low < high)) return [low, high];
  const centred = start === "centre";
  const from = centred ? 0 : low;
  const to = centred ? Math.max(Math.abs(low), Math.abs(high)) : high;
  const bins = new Float64Array(BINS);
  let total = 0;
  for (const layer of layers) {
    const size = layer.slices * layer.height * layer.width;
    const held = new Float64Array(STEPS + 1);
    for (const c of channels) {
      held.fill(0);
      const entries = layer.entries.subarray(c * size, (c + 1) * size);
      let counted = 0;
      for (let i = 0; i < size; i++) {
        if (entries[i] <= LAST) {
          held[entries[i] - FIRST]++;
          counted++;
        }
      }
      total += counted;
      for (let level = 0; level <= STEPS; level++) {
        if (!held[level]) continue;
        const value = layer.lo[c] + (level / STEPS) * (layer.hi[c] - layer.lo[c]);
        const at = ((centred ? Math.abs(value) : value) - from) / (to - from);
        bins[Math.min(BINS - 1, Math.max(0, Math.round(at * (BINS - 1))))] += held[level];
      }
    }
  }
  if (!total) return [low, high];
  const top = quantile(bins, (total * clip) / 100, from, to);
  if (start !== "low") return [start === "zero" ? 0 : -top, top];
  return [quantile(bins, (total * (100 - clip)) / 100, from, to), top];
}

/**
 * @param {Float64Array} bins
 * @param {number} wanted
 * @param {number} from
 * @param {number} to
 */
function quantile(bins, wanted, from, to) {
  let seen = 0;
  for (let i = 0; i < BINS; i++) {
    seen += bins[i];
    if (seen >= wanted) return from + (i / (BINS - 1)) * (to - from);
  }
  return to;
}

/**
 * A function from a channel to the pixels of its 256 entries.
 * @param {LayerData} layer
 * @param {Ranges} ranges
 * @param {string} colormap
 * @returns {(channel: number) => Uint32Array}
 */
export function tablesOf(layer, ranges, colormap) {
  const colours = palette(colormap);
  /** @type {Map<number, Uint32Array>} */
  const made = new Map();
  return (channel) => {
    const lo = layer.lo[channel];
    const hi = layer.hi[channel];
    const low = ranges.vmin[channel];
    const high = ranges.vmax[channel];
    if (same(lo, low) && same(hi, high)) return colours;
    let table = made.get(channel);
    if (table) return table;
    table = colours.slice();
    const width = high - low;
    for (let level = 0; level <= STEPS; level++) {
      const value = lo + (level / STEPS) * (hi - lo);
      // A quarter of a level: quantising alone takes no value out of its range.
      const slack = (hi - lo) / STEPS / 4;
      let entry = width > 0 ? Math.round(((value - low) / width) * STEPS) : 0;
      entry = FIRST + Math.min(STEPS, Math.max(0, entry));
      if (ranges.bounded && value < low - slack) entry = CLIPPED_LOW;
      if (ranges.bounded && value > high + slack) entry = CLIPPED_HIGH;
      table[FIRST + level] = colours[entry];
    }
    made.set(channel, table);
    return table;
  };
}

/** @param {number} a @param {number} b */
const same = (a, b) => a === b || Math.abs(a - b) <= 1e-6 * Math.max(Math.abs(a), Math.abs(b));
