// One small picture of a layer, as Python drew it.

import { useLayoutEffect, useRef } from "preact/hooks";

import { palette } from "../colours.js";
import { html } from "../html.js";
import { thumbnailMap } from "../scene.js";

/** @import {Container} from "../types" */

/** @typedef {{channel: number, height: number, width: number, signed: boolean, offset: number}} Tile */

/**
 * @param {object} props
 * @param {Container | null} props.thumbnails
 * @param {number} props.node
 * @param {number} props.side  CSS pixels of its box
 */
export function Thumbnail({ thumbnails, node, side }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const tile = /** @type {Tile | undefined} */ (thumbnails?.header.tiles[node]);
  const held = thumbnails?.sections.entries ?? thumbnails?.sections.tiles;
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || !tile || !held || !tile.width || !tile.height) return;
    const image = context.createImageData(tile.width, tile.height);
    const pixels = new Uint32Array(image.data.buffer);
    const table = palette(thumbnailMap(tile.signed));
    for (let i = 0; i < pixels.length; i++) pixels[i] = table[held.data[tile.offset + i]];
    context.putImageData(image, 0, 0);
  }, [thumbnails, node]);
  if (!tile || !tile.width || !tile.height) return html`<span class="thumb" />`;
  const zoom = side / Math.max(tile.width, tile.height);
  const scale = zoom >= 1 ? Math.floor(zoom) : zoom;
  const thin = Math.min(tile.width, tile.height) * scale < 3;
  /** @param {number} size */
  const px = (size) => `${thin ? Math.max(3, size * scale) : size * scale}px`;
  return html`<span class="thumb"><canvas ref=${canvas} width=${tile.width} height=${tile.height}
    aria-hidden="true" class=${zoom < 1 ? "smooth" : ""}
    style=${{ width: px(tile.width), height: px(tile.height) }} /></span>`;
}
