// The legend: what the colours, the bars and the marks stand for, in numbers.

import { useLayoutEffect, useMemo, useRef } from "preact/hooks";

import { css, palette } from "../colours.js";
import { number } from "../format.js";
import { html } from "../html.js";
import {
  CLIPPED_HIGH,
  CLIPPED_LOW,
  FIRST,
  HATCH,
  LAST,
  MINUS_INFINITY,
  NAN,
  PLUS_INFINITY,
} from "../tables.js";

/** @import {Scene} from "../scene.js" */
/** @import {LayerData} from "../types" */

const OWN = "each map’s own range";
/** @type {Record<string, string>} */
const SHARED = {
  channel: "one range",
  epochs: "one range for all epochs",
  "epochs-channel": "one range for all epochs",
};
/** @type {Record<string, string>} */
const APART = { "epochs-channel": "each map’s own range, over all epochs" };

/** @param {{scene: Scene, zoom: number}} props */
export function Legend({ scene, zoom }) {
  const { ranges, colormap } = scene;
  const marks = useMemo(() => marksIn(scene.layers), [scene.layers]);
  const shared = ranges.shared ? first(ranges.vmin, ranges.vmax) : null;
  const own = { zero: ["0", "max"], centre: ["−max", "0", "max"], low: ["min", "max"] }[
    ranges.start
  ];
  const words = shared ? ticks(...shared).map(number) : own;
  const largest = layerLargest(scene);
  return html`<div class="legend" aria-label="Legend">
    <span class="soft">${shared
      ? (SHARED[scene.scale] ?? "one range for all") : (APART[scene.scale] ?? OWN)}</span>
    <${Scale} colormap=${colormap} words=${words} />
    ${zoom < 1 && html`<span
      class="soft">each pixel the mean of ${Math.round(1 / zoom)} × ${Math.round(1 / zoom)} values</span>`}
    ${
      scene.bars &&
      html`<span class="strength"
        title="strength: the channel’s largest magnitude as a share of the layer’s"><span
        class="sample"><span></span></span>
      <span class="soft">strength, of the layer’s largest: ${number(largest)}</span></span>`
    }
    ${marks.map(([entry, word]) => html`<span class="swatch"><${Swatch} entries=${entry} /><span
      class="soft">${word}</span></span>`)}
    ${
      ranges.bounded &&
      html`<span class="swatch"><${Swatch} entries=${[CLIPPED_LOW]} /><span
        class="soft">below</span></span>
      <span class="swatch"><${Swatch} entries=${[CLIPPED_HIGH]} /><span
        class="soft">above</span></span>`
    }
  </div>`;
}

/** A strip of colours with numbers under it. @param {{colormap: string, words: string[]}} props */
export function Scale({ colormap, words }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const image = context.createImageData(LAST - FIRST + 1, 1);
    new Uint32Array(image.data.buffer).set(palette(colormap).subarray(FIRST, LAST + 1));
    context.putImageData(image, 0, 0);
  }, [colormap]);
  return html`<span class="scale" role="img"
    aria-label=${`colours from ${words[0]} to ${words.at(-1)}`}>
    <canvas ref=${canvas} width=${LAST - FIRST + 1} height="1"></canvas>
    <span class="ticks">${words.map((word) => html`<span>${word}</span>`)}</span>
  </span>`;
}

/** @param {ArrayLike<number>} vmin @param {ArrayLike<number>} vmax @returns {[number, number] | null} */
function first(vmin, vmax) {
  for (let i = 0; i < vmin.length; i++) {
    if (Number.isFinite(vmin[i]) && vmin[i] < vmax[i]) return [vmin[i], vmax[i]];
  }
  return null;
}

/** @param {number} low @param {number} high */
export const ticks = (low, high) => [low, (low + high) / 2, high];

/** @param {Scene} scene */
function layerLargest({ figures }) {
  let most = 0;
  for (const { min, max } of figures) {
    for (let i = 0; i < min.length; i++) {
      const own = Math.max(Math.abs(min[i]), Math.abs(max[i]));
      if (Number.isFinite(own) && own > most) most = own;
    }
  }
  return most;
}

/** @type {[number[], string][]} */
const KINDS = [
  [HATCH, "constant"],
  [NAN, "NaN"],
  [PLUS_INFINITY, "+∞"],
  [MINUS_INFINITY, "−∞"],
];

/** The marks that maps hold. @param {LayerData[]} layers */
function marksIn(layers) {
  const held = new Uint8Array(256);
  for (const { entries } of layers) for (let i = 0; i < entries.length; i++) held[entries[i]] = 1;
  return KINDS.filter(([entries]) => entries.some((entry) => held[entry]));
}

/** @param {{entries: number[]}} props */
function Swatch({ entries }) {
  const [one, two = one] = entries.map((entry) => css(palette("viridis")[entry]));
  const background =
    entries === PLUS_INFINITY || entries === MINUS_INFINITY
      ? `repeating-linear-gradient(${entries === PLUS_INFINITY ? 90 : 0}deg, ${one} 0 3px, ${two} 3px 6px)`
      : entries === NAN
        ? `repeating-conic-gradient(${one} 0 25%, ${two} 0 50%) 0 0 / 6px 6px`
        : `repeating-linear-gradient(135deg, ${one} 0 3px, ${two} 3px 6px)`;
  return html`<span class="patch" style=${{ background }}></span>`;
}
