// One map on a canvas of its own: native pixels, enlarged by a whole factor.

import { useLayoutEffect, useRef } from "preact/hooks";

import { html } from "../html.js";
import { FIRST, HATCH, LAST } from "../tables.js";

/**
 * @param {object} props
 * @param {Uint8Array} props.entries  rows × columns
 * @param {number} props.height
 * @param {number} props.width
 * @param {Uint32Array} props.table
 * @param {number} props.side  CSS pixels that its longer side may take
 * @param {string} [props.label]
 * @param {number} [props.tall]  CSS pixels of its height, where that is another
 */
export function MapCanvas({ entries, height, width, table, side, label, tall }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || !width || !height) return;
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < pixels.length; i++) pixels[i] = table[entries[i]];
    context.putImageData(image, 0, 0);
  }, [entries, table, width, height]);
  const size = sizeOf(height, width, side);
  return html`<canvas
    class=${size.zoom < 1 ? "map smooth" : "map"} ref=${canvas} width=${width} height=${height}
    role=${label ? "img" : "presentation"} aria-label=${label}
    style=${{ width: `${size.width}px`, height: `${tall ?? size.height}px` }}></canvas>`;
}

/**
 * CSS pixels of a map whose longer side may take ``side``: a whole zoom where it is enlarged.
 * @param {number} height @param {number} width @param {number} side
 */
export function sizeOf(height, width, side) {
  const longest = Math.max(height, width, 1);
  const zoom = longest <= side ? Math.floor(side / longest) : side / longest;
  return { zoom, width: Math.max(2, width * zoom), height: Math.max(2, height * zoom) };
}

/**
 * Values as palette entries between two ends; hatched where all are one value.
 * @param {ArrayLike<number>} values
 * @param {number} low
 * @param {number} high
 * @returns {Uint8Array}
 */
export function entriesOf(values, low, high) {
  const entries = new Uint8Array(values.length);
  const span = high - low;
  if (!(span > 0)) return entries.fill(HATCH[1]);
  for (let i = 0; i < values.length; i++) {
    const share = Math.min(1, Math.max(0, (values[i] - low) / span));
    entries[i] = FIRST + Math.round(share * (LAST - FIRST));
  }
  return entries;
}

/**
 * One map of a section; of a volume its middle slice.
 * @param {import("../types").Section} section @param {number} i
 */
export function middleOf(section, i) {
  const [, slices, height, width] = section.shape;
  const size = height * width;
  const start = (i * slices + Math.floor(slices / 2)) * size;
  return { values: section.data.subarray(start, start + size), height, width };
}

/** The largest magnitude. @param {ArrayLike<number>} values */
export function reachOf(values) {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]));
  return most;
}
