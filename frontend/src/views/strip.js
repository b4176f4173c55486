// The strip: the network as a column of layers, branches side by side, nested models folded.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { counted, describe, percent, shortShape } from "../format.js";
import { html } from "../html.js";
import { answers, foldKey, foldsAround, nodesIn, piecesOf } from "../pieces.js";
import { Thumbnail } from "./thumbnail.js";

/** @import {Container, Manifest, Node, Piece} from "../types" */

const OPEN_AT_FIRST = 3;

/**
 * What every row needs.
 * @typedef {object} Shared
 * @property {Node[]} nodes
 * @property {Container | null} thumbnails
 * @property {Container | null} statistics
 * @property {number} selected
 * @property {Map<string, string>} findings  the gravest level by node
 * @property {(node: number) => void} onSelect
 * @property {Set<string>} open
 * @property {(fold: string) => void} onFold
 */

/**
 * @param {object} props
 * @param {Manifest} props.manifest
 * @param {Node[]} props.nodes
 * @param {Container | null} props.thumbnails
 * @param {Container | null} props.statistics
 * @param {number} props.selected
 * @param {(node: number) => void} props.onSelect
 */
export function Strip({ manifest, nodes, thumbnails, statistics, selected, onSelect }) {
  const pieces = useMemo(() => piecesOf(manifest), [manifest.strip, nodes]);
  const [typed, setTyped] = useState("");
  const [open, setOpen] = useState(() => firstOpen(pieces));
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const found = useMemo(
    () => (typed.trim() ? nodesIn(pieces).filter((i) => answers(nodes[i], typed.trim())) : null),
    [typed, pieces, nodes],
  );

  useEffect(() => {
    const around = foldsAround(pieces, selected) ?? [];
    if (around.some((fold) => !open.has(fold))) setOpen(new Set([...open, ...around]));
  }, [selected, pieces]);
  useEffect(() => {
    list.current?.querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest" });
  }, [selected, open, typed]);

  const findings = useMemo(() => gravest(manifest), [manifest.findings]);
  /** @type {Shared} */
  const shared = {
    nodes, thumbnails, statistics, selected, findings, onSelect, open,
    onFold: (fold) => {
      const next = new Set(open);
      if (!next.delete(fold)) next.add(fold);
      setOpen(next);
    },
  };
  /** @param {KeyboardEvent} event */
  const onKey = (event) => {
    if (event.key === "Enter" && found?.length) {
      onSelect(found[0]);
      setTyped("");
    } else if (event.key === "Escape" && typed) {
      setTyped("");
      event.stopPropagation();
    } else return;
    event.preventDefault();
  };
  return html`<nav class="strip" aria-label="Layers" ref=${list} data-keys="strip">
    <div class="filter">
      <input type="search" placeholder="filter layers ( / )" aria-label="Filter layers"
        autocomplete="off" spellcheck="false" data-filter value=${typed}
        onInput=${(/** @type {any} */ event) => setTyped(event.target.value)} onKeyDown=${onKey} />
    </div>
    <div class="rows" tabindex="-1">
      ${
        found
          ? found.map((node) => html`<${Row} key=${node} node=${node} shared=${shared} />`)
          : pieces.map(
              (piece) => html`<${PieceView} key=${keyOf(piece)} piece=${piece} shared=${shared} />`,
            )
      }
      ${found && !found.length && html`<p class="none">No layer answers to “${typed}”.</p>`}
    </div>
  </nav>`;
}

/** @param {Piece[]} pieces */
function firstOpen(pieces) {
  const folds = pieces.filter((piece) => "fold" in piece);
  return new Set(folds.slice(0, OPEN_AT_FIRST).map(foldKey));
}

/** @param {Piece} piece */
const keyOf = (piece) => ("node" in piece ? piece.node : `g${nodesIn([piece])[0]}`);

/** @param {Manifest} manifest */
function gravest(manifest) {
  const order = ["note", "warning", "error"];
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const { node, level } of manifest.findings) {
    if (node && order.indexOf(level) > order.indexOf(found.get(node) ?? "")) found.set(node, level);
  }
  return found;
}

/** @param {{piece: Piece, shared: Shared}} props */
function PieceView({ piece, shared }) {
  if ("node" in piece) return html`<${Row} node=${piece.node} shared=${shared} />`;
  if ("fold" in piece) return html`<${Fold} piece=${piece} shared=${shared} />`;
  return html`<${Branches} piece=${piece} shared=${shared} />`;
}

/** @param {{node: number, shared: Shared}} props */
function Row({ node, shared }) {
  const { nodes, selected, onSelect, thumbnails, statistics, findings } = shared;
  const one = nodes[node];
  const level = findings.get(one.name);
  return html`<button type="button" class="row" aria-current=${node === selected} data-node=${node}
      onClick=${() => onSelect(node)} title=${`${one.name}: ${one.type} ${describe(one)}`}>
    <${Thumbnail} thumbnails=${thumbnails} node=${node} side=${36} />
    <span class="name"><span class="index">${one.index ?? "in"}</span> ${shortName(one)}</span>
    ${level && html`<span class="mark ${level}"
      title="has findings">${level === "note" ? "i" : "!"}</span>`}
    <span class="about">${one.summary || one.type}</span>
    <span class="shape">${shortShape(one)}</span>
    <${Sparsity} statistics=${statistics} node=${node} />
  </button>`;
}

/** @param {Node} node */
const shortName = (node) => node.name.slice(node.name.lastIndexOf("/") + 1);

/** The share of zeros as a bar. @param {{statistics: Container | null, node: number}} props */
function Sparsity({ statistics, node }) {
  const zeros = statistics?.sections.layers?.data[5 * node + 4];
  const share = zeros === undefined || Number.isNaN(zeros) ? 0 : zeros;
  return html`<span class="sparsity" title=${`${percent(share)} of the values are 0`}>
    <span style=${{ width: `${100 * share}%` }}></span>
  </span>`;
}

/** @param {{piece: {fold: string, items: Piece[]}, shared: Shared}} props */
function Fold({ piece, shared }) {
  const key = foldKey(piece);
  const opened = shared.open.has(key);
  const count = nodesIn(piece.items).length;
  return html`<section class="fold">
    <button type="button" class="title" aria-expanded=${opened} onClick=${() => shared.onFold(key)}>
      <span class="arrow">${opened ? "▾" : "▸"}</span>
      <span class="name">${piece.fold}</span>
      <span class="count">${counted(count, "layer")}</span>
    </button>
    ${
      opened &&
      html`<div class="inner">
      ${piece.items.map((one) => html`<${PieceView} key=${keyOf(one)} piece=${one}
        shared=${shared} />`)}
    </div>`
    }
  </section>`;
}

/** @param {{piece: {branches: Piece[][]}, shared: Shared}} props */
function Branches({ piece, shared }) {
  return html`<div class="branches" role="group"
    aria-label=${`${piece.branches.length} branches side by side`}>
    ${piece.branches.map(
      (branch, i) => html`<div class="branch" key=${i}>
      ${branch.map((one) => html`<${BranchPiece} key=${keyOf(one)} piece=${one}
        shared=${shared} />`)}
    </div>`,
    )}
  </div>`;
}

/** @param {{piece: Piece, shared: Shared}} props */
function BranchPiece({ piece, shared }) {
  if ("node" in piece) return html`<${Cell} node=${piece.node} shared=${shared} />`;
  if ("branches" in piece) return html`<${Branches} piece=${piece} shared=${shared} />`;
  return html`<${Fold} piece=${piece} shared=${shared} />`;
}

/** A layer within a branch: narrow. @param {{node: number, shared: Shared}} props */
function Cell({ node, shared }) {
  const { nodes, selected, onSelect, thumbnails, statistics, findings } = shared;
  const one = nodes[node];
  const level = findings.get(one.name);
  return html`<button type="button" class="cell" aria-current=${node === selected} data-node=${node}
      onClick=${() => onSelect(node)}
      title=${`${one.index ?? "in"} ${one.name}: ${one.type} ${describe(one)}, ${shortShape(one)}`}>
    <${Thumbnail} thumbnails=${thumbnails} node=${node} side=${34} />
    ${level && html`<span class="mark ${level}">${level === "note" ? "i" : "!"}</span>`}
    <span class="what">${brief(one)}</span>
    <span class="said">${`${one.name}, ${one.type}, ${shortShape(one)}`}</span>
    <${Sparsity} statistics=${statistics} node=${node} />
  </button>`;
}

const KINDS = { normalization: "norm", concatenation: "concat", elementwise: "", reshape: "shape" };

/** What a layer does in a word or two. @param {Node} node */
function brief(node) {
  const { kind } = node.operation;
  const size = node.operation.kernel_size;
  const word =
    KINDS[/** @type {keyof typeof KINDS} */ (kind)] ?? (kind === "convolution" ? "" : kind);
  if (kind === "elementwise") return String(node.operation.function ?? "each");
  if (kind === "pooling") return String(node.operation.function ?? "pool");
  if (Array.isArray(size) && size.length) return size.join("×");
  return word.slice(0, 7);
}
