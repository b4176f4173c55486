// Small pictures of one size in rows, on one canvas.

import { useLayoutEffect, useRef } from "preact/hooks";

import { GUTTER_PIXEL as GUTTER } from "../../colours.js";
import { GAP, gridOf } from "../../film/kernels.js";
import { html } from "../../html.js";

/** @import {Painted} from "../../film/kernels.js" */

/**
 * @param {object} props
 * @param {number} props.count
 * @param {number} props.height  values of one
 * @param {number} props.width
 * @param {number} props.side  CSS pixels that there are across
 * @param {number} props.most  CSS pixels of the longer side of one
 * @param {(one: number) => Painted} props.paint
 * @param {unknown} props.of  what is painted: drawn anew when it changes
 * @param {string} props.label
 * @param {number | null} [props.marked]  the one with a frame
 * @param {(one: number) => void} [props.onPick]
 */
export function Mosaic({ count, height, width, side, most, paint, of, label, marked, onPick }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const grid = gridOf(count, height, width, side, most);
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const image = context.createImageData(grid.width, grid.height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let one = 0; one < count; one++) {
      const colour = paint(one);
      const left = (one % grid.columns) * grid.across + GAP;
      const top = Math.floor(one / grid.columns) * grid.down + GAP;
      for (let y = top - GAP; y < top + grid.down; y++) {
        pixels.fill(GUTTER, y * grid.width + left - GAP, y * grid.width + left + grid.across);
      }
      for (let at = 0; at < height * width; at++) {
        const x = left + (at % width) * grid.zoom;
        const y = top + Math.floor(at / width) * grid.zoom;
        const value = colour(at);
        for (let line = 0; line < grid.zoom; line++) {
          const start = (y + line) * grid.width + x;
          pixels.fill(value, start, start + grid.zoom);
        }
      }
    }
    context.putImageData(image, 0, 0);
  }, [of, count, grid.width, grid.height, grid.zoom]);
  const frame = marked !== null && marked !== undefined && marked < count && {
    left: `${(marked % grid.columns) * grid.across}px`,
    top: `${Math.floor(marked / grid.columns) * grid.down}px`,
    width: `${grid.across + GAP}px`,
    height: `${grid.down + GAP}px`,
  };
  /** @param {MouseEvent} event */
  const picked = (event) => {
    const column = Math.floor(event.offsetX / grid.across);
    const one = Math.floor(event.offsetY / grid.down) * grid.columns + column;
    if (column < grid.columns && one < count) onPick?.(one);
  };
  return html`<span class=${onPick ? "mosaic picking" : "mosaic"}>
    <canvas ref=${canvas} width=${grid.width} height=${grid.height} role="img" aria-label=${label}
      style=${{ width: `${grid.width}px`, height: `${grid.height}px` }}
      onClick=${picked}></canvas>
    ${frame && html`<span class="pin" style=${frame}></span>`}
  </span>`;
}
