// Kernels as pixels: one for each output channel, in rows, all on one scale.

import { palette } from "../colours.js";
import { DIVERGING, FIRST, LAST } from "../tables.js";

/** @import {Container} from "../types" */

/**
 * Kernels (out, in, height, width) and the ends of their scale, the same at every epoch.
 * @typedef {object} Kernels
 * @property {ArrayLike<number>} values
 * @property {number} out
 * @property {number} into  input channels
 * @property {number} height
 * @property {number} width
 * @property {number} reach
 */

/** @param {Container} container @returns {Kernels} */
export function kernelsOf({ header, sections }) {
  const { data, shape } = sections.values;
  const [out, into, height, width] = shape;
  const reach = Math.max(Math.abs(header.low), Math.abs(header.high));
  return { values: data, out, into, height, width, reach };
}

/** CSS pixels around each kernel. */
export const GAP = 2;

/** A function from a place in a kernel to a pixel. @typedef {(at: number) => number} Painted */

/**
 * One input channel's kernel, around 0.
 * @param {Kernels} kernels @param {number} out @param {number} into
 * @returns {Painted}
 */
export function single({ values, into: all, height, width, reach }, out, into) {
  const table = palette(DIVERGING);
  const start = (out * all + into) * height * width;
  return (at) => table[FIRST + Math.round(share(values[start + at], reach) * (LAST - FIRST))];
}

/**
 * Three input channels as red, green and blue; mid-grey is 0.
 * @param {Kernels} kernels @param {number} out
 * @returns {Painted}
 */
export function coloured({ values, height, width, reach }, out) {
  const size = height * width;
  const start = out * 3 * size;
  const level = (/** @type {number} */ at) => Math.round(share(values[at], reach) * 255);
  return (at) => {
    const [red, green, blue] = [0, 1, 2].map((i) => level(start + i * size + at));
    return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  };
}

/** @param {number} value @param {number} reach */
const share = (value, reach) =>
  reach > 0 && Number.isFinite(value) ? Math.min(1, Math.max(0, (value / reach + 1) / 2)) : 0.5;

/**
 * How kernels lie in rows, in CSS pixels: a whole zoom, a gap around each.
 * @param {number} count @param {number} height @param {number} width
 * @param {number} side  what there is across
 * @param {number} most  the largest side of one
 */
export function gridOf(count, height, width, side, most) {
  const zoom = Math.max(1, Math.floor(most / Math.max(height, width)));
  const across = width * zoom + GAP;
  const columns = Math.max(1, Math.min(count, Math.floor((side - GAP) / across)));
  const rows = Math.ceil(count / columns);
  const down = height * zoom + GAP;
  return {
    zoom, across, down, columns, width: columns * across + GAP, height: rows * down + GAP,
  };
}
