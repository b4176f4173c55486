// Colours: palette entries to pixels, as 256 numbers each of which is one pixel's four bytes.

import { BAR, DIVERGING, FIRST, GUTTER, LAST, MAPS, MARKS, SEQUENTIAL } from "./tables.js";

/** @type {Map<string, Uint32Array>} */
const made = new Map();

/** @param {string} text */
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** @param {number} red @param {number} green @param {number} blue */
const pixel = (red, green, blue) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;

/** The names of all colour maps. */
export const COLORMAPS = Object.keys(MAPS);

/**
 * Whether a map's middle stands for 0.
 * @param {string} name
 */
export const isDiverging = (name) => Boolean(MAPS[base(name)]?.[0]);

/** @param {string} name */
const base = (name) => name.replace(/_r$/, "");

/** @param {string} name */
export const isColormap = (name) => base(name) in MAPS;

/**
 * The map that suits values of one sign or of both.
 * @param {boolean} signed
 */
export const suited = (signed) => (signed ? DIVERGING : SEQUENTIAL);

/**
 * A colour map's 256 pixels: its levels, then the marks, as render's palette has them.
 * @param {string} name
 * @returns {Uint32Array}
 */
export function palette(name) {
  let table = made.get(name);
  if (table) return table;
  const levels = bytesOf(MAPS[base(name)][1]);
  const marks = bytesOf(MARKS);
  table = new Uint32Array(256);
  const count = LAST - FIRST + 1;
  for (let i = 0; i < count; i++) {
    const from = 3 * (name.endsWith("_r") ? count - 1 - i : i);
    table[FIRST + i] = pixel(levels[from], levels[from + 1], levels[from + 2]);
  }
  for (let i = 0; i < 255 - LAST; i++) {
    table[LAST + 1 + i] = pixel(marks[3 * i], marks[3 * i + 1], marks[3 * i + 2]);
  }
  made.set(name, table);
  return table;
}

/**
 * A pixel as CSS writes it.
 * @param {number} value
 */
export const css = (value) => `rgb(${value & 255} ${(value >> 8) & 255} ${(value >> 16) & 255})`;

/**
 * A pixel from a CSS colour of the form #rrggbb.
 * @param {string} text
 */
export function pixelOf(text) {
  const value = Number.parseInt(text.trim().slice(1), 16);
  return pixel((value >> 16) & 255, (value >> 8) & 255, value & 255);
}

/** The colour of strength bars, and of what lies around tiles in pictures. */
export const BAR_COLOUR = css(palette(SEQUENTIAL)[BAR]);
export const GUTTER_PIXEL = palette(SEQUENTIAL)[GUTTER];
