// Numbers and shapes as they are written on the page.

/** @import {LayerData, Node, Place} from "./types" */

/** @type {Record<string, string>} */
const INPUTS = { H: "rows", W: "columns", D: "slices", T: "steps", C: "channels" };

/**
 * A figure in four digits.
 * @param {number | null | undefined} value
 */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text =
    size >= 1e5 || size < 1e-3
      ? value.toExponential(2).replace("e+", "e")
      : String(Number(value.toPrecision(4)));
  return text.replaceAll("-", "−");
}

/** A file's own name, without its folders. @param {string} path */
export const nameOf = (path) => path.split(/[\\/]/).at(-1) || path;

/** @param {number} share */
export const percent = (share) =>
  Number.isNaN(share) ? "–" : `${(100 * share).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %`;

/** @param {number} count @param {string} word */
export const counted = (count, word) =>
  `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

/**
 * A node's output shape without its batch axis, channels last: 74 × 74 × 32.
 * @param {Node} node
 */
export function shape(node) {
  const letters = [...node.axes];
  const sizes = letters
    .map((letter, i) => ({ letter, size: node.shape[i] }))
    .filter(({ letter }) => letter !== "N");
  sizes.sort((a, b) => Number(a.letter === "C") - Number(b.letter === "C"));
  return sizes.map(({ size }) => size ?? "?").join(" × ");
}

/**
 * The same, short: 74²×32.
 * @param {Node} node
 */
export function shortShape(node) {
  const parts = shape(node).split(" × ");
  if (parts.length === 3 && parts[0] === parts[1] && parts[0] !== "?") {
    return `${parts[0]}²×${parts[2]}`;
  }
  return parts.join("×");
}

/** What a layer does, in a few words. @param {Node} node */
export function describe(node) {
  const padding = node.operation.padding;
  const said = [node.summary, typeof padding === "string" ? `padding ${padding}` : ""];
  return said.filter(Boolean).join(", ");
}

/**
 * A place within a map: row 3, column 4.
 * @param {LayerData} layer
 * @param {Place} at
 */
export function placed(layer, at) {
  const { letters } = layer;
  /** @type {Record<string, string>} */
  const words = { height: "row", width: "column" };
  /** @param {string | null} letter @param {string} usual */
  const word = (letter, usual) => words[letter ?? ""] ?? letter ?? usual;
  const parts = [];
  if (layer.slices > 1) parts.push(`${letters.slices ?? "slice"} ${layer.sliceNumbers[at.slice]}`);
  if (layer.height > 1) parts.push(`${word(letters.rows, "row")} ${at.row}`);
  if (layer.width > 1) parts.push(`${word(letters.columns, "column")} ${at.column}`);
  return parts.join(", ");
}

/** What one of a layer's channels is called: channel, head, plane. @param {LayerData} layer */
export const channelWord = (layer) => layer.letters.channels.replace(/s$/, "");

/** An input's spatial ranges in words. @param {string} letter */
export const axisWord = (letter) => INPUTS[letter] ?? letter;
