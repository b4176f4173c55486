// The strip of layers as pieces: what a filter leaves, what is folded, what comes next.

/** @import {Manifest, Node, Piece} from "./types" */

/** @param {Manifest} manifest @returns {Piece[]} */
export const piecesOf = (manifest) =>
  manifest.strip ?? [...manifest.inputs, ...manifest.nodes].map((_, node) => ({ node }));

/**
 * The nodes in pieces, in the order they are read.
 * @param {Piece[]} pieces
 * @returns {number[]}
 */
export function nodesIn(pieces) {
  return pieces.flatMap((piece) => {
    if ("node" in piece) return [piece.node];
    return "fold" in piece ? nodesIn(piece.items) : piece.branches.flatMap(nodesIn);
  });
}

/**
 * The titles of the folds that a node lies in, from the outermost.
 * @param {Piece[]} pieces
 * @param {number} node
 * @returns {string[] | null}
 */
export function foldsAround(pieces, node) {
  for (const piece of pieces) {
    if ("node" in piece) {
      if (piece.node === node) return [];
    } else if ("fold" in piece) {
      const inner = foldsAround(piece.items, node);
      if (inner) return [foldKey(piece), ...inner];
    } else if (nodesIn([piece]).includes(node)) return [];
  }
  return null;
}

/** What a fold is known by: titles may repeat. @param {{fold: string, items: Piece[]}} piece */
export const foldKey = (piece) => `${piece.fold}@${nodesIn(piece.items)[0]}`;

/**
 * Whether a node answers to what was typed: each word in its name, type, shape or number.
 * @param {Node} node
 * @param {string} typed
 */
export function answers(node, typed) {
  const said =
    `${node.index ?? "in"} ${node.name} ${node.type} ${node.summary ?? ""}`.toLowerCase();
  return typed
    .toLowerCase()
    .split(/\s+/)
    .every((word) => said.includes(word));
}
