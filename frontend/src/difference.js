// The difference of two layers, from their palette entries: where no exact one can be asked for.

import { valueOf } from "./layer.js";
import { FIRST, HATCH, LAST, NAN } from "./tables.js";

/** @import {LayerData} from "./types" */

/**
 * What ``one`` has more than ``other``, as nearly as their 241 levels tell.
 * @param {string} key
 * @param {LayerData} one
 * @param {LayerData} other  of the same size
 * @returns {LayerData}
 */
export function differenceOf(key, one, other) {
  const count = Math.min(one.channels, other.channels);
  const size = one.slices * one.height * one.width;
  if (size !== other.slices * other.height * other.width) {
    throw new Error("These two are not of one size: they have no difference.");
  }
  const values = new Float32Array(count * size);
  const reach = new Float32Array(count);
  for (let c = 0; c < count; c++) {
    const [from, minus] = [one, other].map((layer) =>
      Float64Array.from({ length: 256 }, (_, entry) => valueOf(layer, c, entry)),
    );
    for (let i = c * size; i < (c + 1) * size; i++) {
      values[i] = from[one.entries[i]] - minus[other.entries[i]];
      const far = Math.abs(values[i]);
      if (far > reach[c] && far < Infinity) reach[c] = far;
    }
  }
  if (one.arrangement === "strip") reach.fill(reach.reduce((a, b) => Math.max(a, b), 0));
  const entries = new Uint8Array(count * size);
  const still = new Set();
  // As broad as Python's.
  const stripe = Math.max(2, Math.round(Math.max(one.height, one.width) / 12));
  for (let c = 0; c < count; c++) {
    if (!reach[c]) still.add(c);
    for (let i = c * size; i < (c + 1) * size; i++) {
      const share = (values[i] / reach[c] + 1) / 2;
      const at = (i - c * size) % (one.height * one.width);
      const diagonal = (at % one.width) + Math.floor(at / one.width);
      if (!reach[c] && values[i] === 0) entries[i] = HATCH[Math.floor(diagonal / stripe) % 2];
      else if (!Number.isFinite(share)) entries[i] = NAN[diagonal % 2];
      else entries[i] = FIRST + Math.round(share * (LAST - FIRST));
    }
  }
  return {
    ...one, key, channels: count, entries, signed: true, constant: still,
    lo: reach.map((far) => -far), hi: reach, bytes: entries.byteLength,
    notes: [...one.notes, "a difference of what this page holds: values in 241 levels"],
  };
}
