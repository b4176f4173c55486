// Geometry of the wall: where every tile lies, in device pixels. Nothing here draws.

/** @import {LayerData} from "./types" */

/**
 * Where tiles lie. A tile is one plane, or two side by side where pictures are compared.
 * @typedef {object} Layout
 * @property {number} zoom  device pixels per value across; below 1 a share such as 1/2
 * @property {number} tall  device pixels per value down (more than zoom for rows of steps)
 * @property {number} mapWidth  device pixels of one map
 * @property {number} tileWidth  device pixels of a tile: one map, or two with a gap
 * @property {number} tileHeight
 * @property {number} above  room for a label
 * @property {number} below  room for a strength bar
 * @property {number} beside  room for labels at the left
 * @property {number} stepAcross
 * @property {number} stepDown
 * @property {number} columns
 * @property {Block[]} blocks
 * @property {number} height
 * @property {number} width
 * @property {number[]} channelOf  each tile's channel
 * @property {number[]} sliceOf
 * @property {number} pair  maps in a tile: 1 or 2
 */

/**
 * The tiles of one group: ``first`` up to, but not including, ``first + count``.
 * @typedef {{label: string, headingTop: number, top: number, first: number, count: number}} Block
 */

const LABEL = 14;
const BAR = 4;
const HEADING = 30;

/**
 * The zoom that suits a layer: larger where there are few maps, a share where they are large.
 * @param {LayerData} layer
 * @param {number} width  device pixels that there are
 * @param {number} ratio  device pixels per CSS pixel
 * @param {number} pair
 */
export function autoZoom(layer, width, ratio, pair) {
  const count = layer.channels * layer.slices;
  if (layer.arrangement === "strip") {
    const room = (width - besideOf(layer, ratio)) / ratio / stripColumns(count, Infinity) / pair;
    return Math.floor(Math.max(5, Math.min(count <= 32 ? 28 : 18, Math.floor(room) - 1)) * ratio);
  }
  if (layer.arrangement === "rows") {
    const room = (width - 44 * ratio) / pair;
    return Math.max(1, Math.min(12 * ratio, Math.floor(room / layer.width)));
  }
  const size = Math.max(layer.height, layer.width, 1);
  const wanted = Math.min(Math.max(280 / Math.sqrt(Math.sqrt(count)), 48), 192) * ratio;
  const room = Math.min(wanted, (width - ratio) / pair);
  if (size <= room) return Math.max(1, Math.round(room / size));
  const most = Math.min(240 * ratio, (width - ratio) / pair);
  return size <= most ? 1 : 1 / Math.ceil(size / most);
}

/**
 * A round number of values in a row, so that the numbers at the rows are easy to add to.
 * @param {number} count
 * @param {number} most
 */
function stripColumns(count, most) {
  if (count <= Math.min(32, most)) return Math.max(count, 1);
  const wanted = Math.sqrt(count * 2);
  const rounds = [5, 10, 20, 25, 40, 50, 64, 80, 100, 128].filter((n) => n <= most);
  if (!rounds.length) return Math.max(1, most);
  return rounds.reduce((best, n) =>
    Math.abs(Math.log(n / wanted)) < Math.abs(Math.log(best / wanted)) ? n : best,
  );
}

/** Room for the numbers at the left of rows. @param {LayerData} layer @param {number} ratio */
function besideOf(layer, ratio) {
  if (layer.arrangement === "mosaic" || layer.channels < 2) return 0;
  return Math.ceil((7 * String(layer.channels - 1).length + 12) * ratio);
}

/**
 * Lay a layer's maps out in rows that fill a width.
 * @param {LayerData} layer
 * @param {{label: string, channels: number[]}[]} groups
 * @param {{width: number, ratio: number, zoom: number, pair: number, bars: boolean}} options
 *   zoom: device pixels per value, 0 for the one that suits
 * @returns {Layout}
 */
export function layOut(layer, groups, { width, ratio, zoom, pair, bars }) {
  const scale = zoom || autoZoom(layer, width, ratio, pair);
  const rows = layer.arrangement === "rows";
  const strip = layer.arrangement === "strip";
  const tall = rows
    ? Math.max(scale, Math.min(16 * ratio, Math.round((480 * ratio) / layer.channels)), 3 * ratio)
    : scale;
  const mapWidth = Math.max(1, Math.floor(layer.width * scale));
  const tileWidth = pair * mapWidth + (pair - 1) * ratio;
  const tileHeight = Math.max(1, Math.floor(layer.height * tall));
  const digits = String(layer.channels - 1).length;
  const beside = besideOf(layer, ratio);
  const labelled = !beside && tileWidth >= (6.5 * digits + 2) * ratio;
  const above = labelled ? Math.round(LABEL * ratio) : 0;
  const below = bars && !rows && !strip ? Math.round(BAR * ratio) : 0;
  const gap = Math.round(ratio);
  const stepAcross = tileWidth + (labelled ? 3 * gap : gap);
  const stepDown = above + tileHeight + below + (rows ? 0 : gap);
  let columns = rows ? 1 : Math.max(1, Math.floor((width - beside + gap) / stepAcross));
  if (strip) columns = stripColumns(layer.channels, columns);
  if (layer.slices > 1 && columns > layer.slices) columns -= columns % layer.slices;
  const channelOf = [];
  const sliceOf = [];
  /** @type {Block[]} */
  const blocks = [];
  let top = Math.round(ratio);
  let first = 0;
  for (const { label, channels } of groups) {
    const headingTop = top;
    if (label) top += Math.round(HEADING * ratio);
    for (const channel of channels) {
      for (let slice = 0; slice < layer.slices; slice++) {
        channelOf.push(channel);
        sliceOf.push(slice);
      }
    }
    const count = channels.length * layer.slices;
    blocks.push({ label, headingTop, top, first, count });
    top += Math.ceil(count / columns) * stepDown;
    first += count;
  }
  return {
    zoom: scale, tall, mapWidth, tileWidth, tileHeight, above, below, beside, stepAcross,
    stepDown, columns, blocks, height: top + gap, width, channelOf, sliceOf, pair,
  };
}

/**
 * The tiles between two heights, with the places of their maps.
 * @param {Layout} layout
 * @param {number} top
 * @param {number} bottom
 * @param {(tile: number, x: number, y: number) => void} each
 */
export function visible(layout, top, bottom, each) {
  for (const block of layout.blocks) {
    const lines = Math.ceil(block.count / layout.columns);
    const from = Math.max(0, Math.floor((top - block.top) / layout.stepDown));
    const to = Math.min(lines, Math.ceil((bottom - block.top) / layout.stepDown));
    for (let line = from; line < to; line++) {
      const y = block.top + line * layout.stepDown + layout.above;
      for (let column = 0; column < layout.columns; column++) {
        const place = line * layout.columns + column;
        if (place >= block.count) break;
        each(block.first + place, layout.beside + column * layout.stepAcross, y);
      }
    }
  }
}

/**
 * Where a tile's map lies.
 * @param {Layout} layout
 * @param {number} tile
 */
export function placeOf(layout, tile) {
  const block = layout.blocks.findLast((one) => one.first <= tile) ?? layout.blocks[0];
  const place = tile - block.first;
  const line = Math.floor(place / layout.columns);
  return {
    x: layout.beside + (place % layout.columns) * layout.stepAcross,
    y: block.top + line * layout.stepDown + layout.above,
  };
}

/**
 * What lies under a point: the tile, which of its maps, and the value.
 * @param {Layout} layout
 * @param {number} x
 * @param {number} y
 * @returns {{tile: number, which: number, row: number, column: number} | null}
 */
export function hit(layout, x, y) {
  for (const block of layout.blocks) {
    const line = Math.floor((y - block.top) / layout.stepDown);
    const column = Math.floor((x - layout.beside) / layout.stepAcross);
    const place = line * layout.columns + column;
    if (line < 0 || column < 0 || column >= layout.columns || place >= block.count) continue;
    const down = y - block.top - line * layout.stepDown - layout.above;
    let across = x - layout.beside - column * layout.stepAcross;
    if (down < 0 || down >= layout.tileHeight || across >= layout.tileWidth) return null;
    const which = layout.pair > 1 && across >= layout.mapWidth ? 1 : 0;
    if (which) across = Math.max(0, across - (layout.tileWidth - layout.mapWidth));
    if (across >= layout.mapWidth) return null;
    return {
      tile: block.first + place,
      which,
      row: Math.floor(down / layout.tall),
      column: Math.floor(across / layout.zoom),
    };
  }
  return null;
}
