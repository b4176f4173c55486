// The wall's canvas: only the tiles that can be seen are painted, value by value.

import { BAR_COLOUR, pixelOf } from "./colours.js";
import { plane } from "./layer.js";
import { placeOf, visible } from "./layout.js";
import { copy, paintMap, shrink } from "./painter.js";

/** @import {Layout} from "./layout.js" */
/** @import {Scene} from "./scene.js" */

/**
 * Colours of what is not data, from the theme.
 * @typedef {{ground: string, text: string, soft: string, line: string, mark: string,
 *   outline: string, font: string}} Theme
 */

/** @typedef {{channel: number, slice: number, row?: number, column?: number} | null} Spot */

export class WallPainter {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (
      canvas.getContext("2d", { alpha: false })
    );
    /** @type {ImageData | null} */
    this.image = null;
    /** @type {Map<string, import("./painter.js").Canvas32>} */
    this.small = new Map();
    this.smallKey = "";
  }

  /**
   * Paint what lies between ``top`` and the canvas's height below it.
   * @param {Scene} scene
   * @param {Layout} layout
   * @param {number} top  device pixels
   * @param {number} ratio
   * @param {Theme} theme
   * @param {Spot} pinned
   */
  paint(scene, layout, top, ratio, theme, pinned) {
    const { canvas, context } = this;
    const { width, height } = canvas;
    if (!width || !height) return;
    if (!this.image || this.image.width !== width || this.image.height !== height) {
      this.image = context.createImageData(width, height);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    const target = { pixels: /** @type {Uint32Array} */ (this.pixels), width, height };
    target.pixels.fill(pixelOf(theme.ground));
    visible(layout, top, top + height, (tile, x, y) => {
      scene.layers.forEach((_, which) => {
        const left = x + which * (layout.tileWidth - layout.mapWidth);
        this.map(target, scene, layout, tile, which, left, y - top);
      });
    });
    context.putImageData(this.image, 0, 0);
    this.words(scene, layout, top, ratio, theme);
    if (pinned) this.outline(layout, pinned, top, ratio, theme);
  }

  /**
   * @param {import("./painter.js").Canvas32} target
   * @param {Scene} scene
   * @param {Layout} layout
   * @param {number} tile
   * @param {number} which
   * @param {number} x
   * @param {number} y
   */
  map(target, scene, layout, tile, which, x, y) {
    const layer = scene.layers[which];
    const channel = layout.channelOf[tile];
    const entries = plane(layer, channel, layout.sliceOf[tile]);
    const table = scene.tables[which](channel);
    const { height, width } = layer;
    if (layout.zoom >= 1) {
      paintMap(target, x, y, entries, height, width, layout.zoom, layout.tall, table);
      return;
    }
    const factor = Math.round(1 / layout.zoom);
    const key = `${scene.key}/${factor}`;
    if (key !== this.smallKey) {
      this.small.clear();
      this.smallKey = key;
    }
    const name = `${which}/${tile}`;
    let held = this.small.get(name);
    if (!held) {
      held = shrink(entries, height, width, factor, table);
      this.small.set(name, held);
    }
    copy(target, x, y, held);
  }

  /**
   * Channel numbers, strength bars and headings.
   * @param {Scene} scene
   * @param {Layout} layout
   * @param {number} top
   * @param {number} ratio
   * @param {Theme} theme
   */
  words(scene, layout, top, ratio, theme) {
    const { context, canvas } = this;
    const size = layout.stepAcross / ratio < 30 ? 9 : 11;
    context.font = `${size * ratio}px ${theme.font}`;
    context.textBaseline = "alphabetic";
    const strip = layout.beside > 0;
    const every = strip ? Math.max(1, Math.ceil((11 * ratio) / layout.stepDown)) : 1;
    visible(layout, top, top + canvas.height, (tile, x, y) => {
      const channel = layout.channelOf[tile];
      const down = y - top;
      if (layout.above && layout.sliceOf[tile] === 0) {
        context.fillStyle = theme.soft;
        context.textAlign = "left";
        context.fillText(String(channel), x, down - 3 * ratio);
      }
      if (strip && x === layout.beside && Math.round(y / layout.stepDown) % every === 0) {
        context.fillStyle = theme.soft;
        context.textAlign = "right";
        context.fillText(
          String(channel), x - 6 * ratio, down + layout.tileHeight / 2 + size * ratio * 0.36,
        );
      }
      if (layout.below && scene.bars) this.bars(scene, layout, tile, x, down, ratio, theme);
    });
    context.textAlign = "left";
    context.font = `600 ${12.5 * ratio}px ${theme.font}`;
    for (const block of layout.blocks) {
      if (!block.label) continue;
      const y = block.headingTop - top + 20 * ratio;
      if (y < 0 || y > canvas.height + 30 * ratio) continue;
      context.fillStyle = theme.text;
      const channels = block.count / scene.layer.slices;
      context.fillText(`${block.label}  ·  ${channels} channels`, 0, y);
    }
  }

  /**
   * @param {Scene} scene
   * @param {Layout} layout
   * @param {number} tile
   * @param {number} x
   * @param {number} y
   * @param {number} ratio
   * @param {Theme} theme
   */
  bars(scene, layout, tile, x, y, ratio, theme) {
    const { context } = this;
    const tall = Math.max(1, Math.round(2 * ratio));
    scene.strengths.forEach((strength, which) => {
      const left = x + which * (layout.tileWidth - layout.mapWidth);
      const share = strength[layout.channelOf[tile]];
      const under = y + layout.tileHeight + Math.round(ratio);
      context.fillStyle = theme.line;
      context.fillRect(left, under, layout.mapWidth, tall);
      if (!share) return;
      context.fillStyle = BAR_COLOUR;
      context.fillRect(left, under, Math.max(1, Math.round(share * layout.mapWidth)), tall);
    });
  }

  /**
   * A frame around the pinned tile, and one around the pinned value.
   * @param {Layout} layout
   * @param {NonNullable<Spot>} spot
   * @param {number} top
   * @param {number} ratio
   * @param {Theme} theme
   */
  outline(layout, spot, top, ratio, theme) {
    const { context } = this;
    const tile = tileOf(layout, spot.channel, spot.slice);
    if (tile < 0) return;
    const { x, y } = placeOf(layout, tile);
    const wide = Math.max(1, Math.round(2 * ratio));
    /** @param {number} left @param {number} up @param {number} w @param {number} h @param {number} out */
    const frame = (left, up, w, h, out) => {
      context.lineWidth = wide + Math.round(2 * ratio);
      context.strokeStyle = theme.outline;
      context.strokeRect(left - out, up - out, w + 2 * out, h + 2 * out);
      context.lineWidth = wide;
      context.strokeStyle = theme.mark;
      context.strokeRect(left - out, up - out, w + 2 * out, h + 2 * out);
    };
    frame(x, y - top, layout.tileWidth, layout.tileHeight, wide / 2);
    if (spot.row === undefined || spot.column === undefined) return;
    for (let which = 0; which < layout.pair; which++) {
      const left = x + which * (layout.tileWidth - layout.mapWidth) + spot.column * layout.zoom;
      const up = y - top + spot.row * layout.tall;
      const across = Math.max(layout.zoom, 3 * ratio);
      const down = Math.max(layout.tall, 3 * ratio);
      if (layout.mapWidth > across) frame(left, up, across, down, wide / 2);
    }
  }
}

/**
 * The tile of a channel's slice, or -1.
 * @param {Layout} layout
 * @param {number} channel
 * @param {number} slice
 */
export const tileOf = (layout, channel, slice) =>
  layout.channelOf.findIndex((one, i) => one === channel && layout.sliceOf[i] === slice);
