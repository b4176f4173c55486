// One value taken apart: patch × kernel for each input channel, their sum, the bias, the function.

import { useLayoutEffect, useRef } from "preact/hooks";

import { css, palette } from "../colours.js";
import { axisWord, number } from "../format.js";
import { html } from "../html.js";
import { DIVERGING, SEQUENTIAL } from "../tables.js";
import { Title } from "./explained_title.js";
import { entriesOf, reachOf } from "./map.js";

/** @import {Container, Section} from "../types" */

/** @param {{container: Container, of: string}} props of: which of two runs, or nothing */
export function Neuron({ container, of }) {
  const { header, sections } = container;
  const { patch, kernel, products, inside } = sections;
  const patchReach = reachOf(patch.data);
  const signed = patch.data.some((value) => value < 0);
  const kernelReach = reachOf(kernel.data);
  const reach = reachOf(products.data);
  const [, slices, height, width] = kernel.shape;
  const size = slices * height * width;
  const reads = (header.place ?? [])
    .map(
      (/** @type {[number, number]} */ [start, stop], /** @type {number} */ i) =>
        `${axisWord(header.axes[i])} ${start}–${stop - 1}`,
    )
    .join(", ");
  return html`<div class="neuron">
    <${Title} header=${header} of=${of} />
    ${reads && html`<p class="soft">reads ${header.source_name}, ${reads}</p>`}
    <p class="total"><span><span class="sign">sum</span> <b>${number(header.total)}</b></span>
      <span><span class="sign">+ bias</span> <b>${number(header.bias)}</b></span>
      <span><span class="sign">=</span> <b
        class=${header.function === "linear" ? "final" : ""}>${number(header.pre_activation)}</b></span>
      ${header.function !== "linear" && html`<span><span
        class="sign">→ ${header.function} →</span> <b
        class="final">${number(header.value)}</b></span>`}</p>
    <ol class="terms" aria-label="Input channels, the largest sums first">
      ${header.inputs.map((/** @type {number} */ input, /** @type {number} */ i) => {
        /** @param {Section} section */
        const own = (section) => section.data.subarray(i * size, (i + 1) * size);
        const outside = Array.from(inside.data, (held) => !held);
        return html`<li class="term" key=${input}>
          <span class="of">${header.source_name}:${input}</span>
          <div class="equation">
            <${Cells} values=${own(patch)} slices=${slices} height=${height} width=${width}
              low=${signed ? -patchReach : 0}
              high=${patchReach} colormap=${signed ? DIVERGING : SEQUENTIAL}
              outside=${outside} label=${`patch of input channel ${input}`} />
            <span class="sign">×</span>
            <${Cells} values=${own(kernel)} slices=${slices} height=${height} width=${width}
              low=${-kernelReach} high=${kernelReach}
              colormap=${DIVERGING} label=${`kernel for input channel ${input}`} />
            <span class="sign">=</span>
            <${Cells} values=${own(products)} slices=${slices} height=${height} width=${width}
              low=${-reach} high=${reach}
              colormap=${DIVERGING} label=${`products of input channel ${input}`} />
            <span class="sign">Σ <b>${number(sections.sums.data[i])}</b></span>
          </div>
        </li>`;
      })}
      ${
        header.rest &&
        html`<li class="term rest"><span class="of">the other ${header.rest.count}</span>
        <div class="equation"><span
          class="sign">Σ <b>${number(header.rest.sum)}</b></span></div></li>`
      }
    </ol>
  </div>`;
}

/**
 * Numbers in coloured squares; the numbers are left out where squares are small.
 * @param {object} props
 * @param {ArrayLike<number>} props.values
 * @param {number} props.slices
 * @param {number} props.height
 * @param {number} props.width
 * @param {number} props.low
 * @param {number} props.high
 * @param {string} props.colormap
 * @param {boolean[]} [props.outside]  what lies in the padding
 * @param {string} props.label
 */
function Cells({ values, slices, height, width, low, high, colormap, outside = [], label }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const rows = slices * height;
  const most = Math.max(rows, width);
  const side = most <= 3 ? 34 : most <= 5 ? 28 : Math.max(2, Math.floor(110 / most));
  const ratio = globalThis.devicePixelRatio || 1;
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const table = palette(colormap);
    const entries = entriesOf(values, low, high);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = `9.5px ${getComputedStyle(/** @type {Element} */ (canvas.current)).fontFamily}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (let i = 0; i < entries.length; i++) {
      const x = (i % width) * side;
      const y = Math.floor(i / width) * side;
      const colour = outside[i] ? 0 : table[entries[i]];
      context.fillStyle = outside[i] ? "rgb(128 128 128 / 35%)" : css(colour);
      context.fillRect(x, y, side - 1, side - 1);
      if (side < 28) continue;
      context.fillStyle = outside[i] || bright(colour) ? "#111" : "#fff";
      context.fillText(outside[i] ? "·" : brief(values[i]), x + side / 2, y + side / 2);
    }
  }, [values, low, high, colormap, ratio]);
  const said = values.length <= 25 ? `: ${Array.from(values, number).join(", ")}` : "";
  return html`<canvas ref=${canvas} role="img" aria-label=${label + said} title=${label}
    width=${width * side * ratio} height=${rows * side * ratio}
    style=${{ width: `${width * side}px`, height: `${rows * side}px` }}></canvas>`;
}

/** @param {number} colour */
const bright = (colour) =>
  0.3 * (colour & 255) + 0.59 * ((colour >> 8) & 255) + 0.11 * ((colour >> 16) & 255) > 120;

/** A number in at most five signs. @param {number} value */
function brief(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text =
    size >= 1000 || size < 0.0095
      ? value.toExponential(0).replace("e+", "e")
      : value.toPrecision(2);
  return text.replace(/^(-?)0\./, "$1.").replace("-", "−");
}
