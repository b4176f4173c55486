// The keyboard: everything that can be done, by a key.

import { scalesOf, SORTS } from "./address.js";
import { filmKey } from "./film/keys.js";
import { nodesIn, piecesOf } from "./pieces.js";

/** @import {Explorer} from "./explorer.js" */
/** @import {Layout} from "./layout.js" */
/** @import {Scene} from "./scene.js" */

/** What the help lists: keys, and what they do. @type {[string[], string][]} */
export const KEYS = [
  [["←", "→"], "the channel before, after"],
  [["↑", "↓"], "the row of channels above, below; in the strip: layers"],
  [["j", "k"], "the next layer, the one before"],
  [["Shift", "← ↑ → ↓"], "move the pinned place by one value"],
  [["Home", "End"], "the first, the last channel"],
  [["/"], "filter layers; Enter goes to the first"],
  [["e"], "explain the pinned channel or value"],
  [["m"], "lay the map over the picture, more each time"],
  [["c"], "another colour map"],
  [["s"], "another scale"],
  [["r"], "another order"],
  [["+", "−", "0"], "larger, smaller, fitting maps"],
  [["p"], "the next picture"],
  [["d"], "side by side, or the difference"],
  [["o"], "open a picture"],
  [["Esc"], "close, let go of the place, of the channel"],
  [["?"], "these keys"],
];

const COLOURS = ["auto", "viridis", "magma", "gray", "blue-white-red"];

/** @template T @param {T[]} list @param {T} value */
const after = (list, value) => list[(list.indexOf(value) + 1) % list.length];

/**
 * Do what a key says.
 * @param {KeyboardEvent} event
 * @param {Explorer} explorer
 * @param {{scene: Scene | null, layout: Layout | null, zoom: number, root: HTMLElement}} view
 * @returns {boolean} whether it says anything
 */
export function pressed(event, explorer, view) {
  const target = /** @type {HTMLElement} */ (event.target);
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  if (target.matches("input:not([type=range]), textarea")) return false;
  const { choice } = explorer;
  const held = target.matches("select, input, summary, button");
  if (event.key === "Escape") return escape(explorer, view.root);
  if (event.key === "?") return done(explorer.showHelp(!explorer.help));
  if (explorer.help) return false;
  if (event.key.startsWith("Arrow") || event.key === "Home" || event.key === "End") {
    if (target.matches("select, input")) return false;
    const inStrip = target.closest("[data-keys=strip]");
    if (inStrip && /Up|Down/.test(event.key)) {
      return layerBy(explorer, event.key === "ArrowDown" ? 1 : -1, view.root);
    }
    if (target.closest("[data-keys=explain]")) return false;
    return move(event, explorer, view);
  }
  const plays = event.key === " " && target.matches("[data-epoch]");
  if (held && !plays && (event.key === " " || event.key === "Enter")) return false;
  switch (event.key) {
    case "j":
      return layerBy(explorer, 1);
    case "k":
      return layerBy(explorer, -1);
    case "/":
      return done(
        /** @type {HTMLElement | null} */ (view.root.querySelector("[data-filter]"))?.focus(),
      );
    case "e":
      return choice.channel !== null && Boolean(explorer.manifest?.can.explain) &&
        done(explorer.choose({ explain: !choice.explain }));
    case "m":
      return done(
        explorer.choose({
          overlay: choice.overlay >= 1 ? 0 : Math.round((choice.overlay + 0.25) * 100) / 100,
        }),
      );
    case "c":
      return done(explorer.choose({ colormap: after(COLOURS, choice.colormap) }));
    case "s":
      return done(explorer.choose({ scale: after(scalesOf(explorer.manifest?.record), choice.scale) }));
    case "r":
      return done(explorer.choose({ sort: after(SORTS, choice.sort) }));
    case "+":
    case "=":
      return done(explorer.choose({ zoom: Math.min(64, Math.max(1, Math.floor(view.zoom) + 1)) }));
    case "-":
      return done(explorer.choose({ zoom: Math.max(1, Math.ceil(view.zoom) - 1) }));
    case "0":
      return done(explorer.choose({ zoom: 0 }));
    case "p":
      return anotherPicture(explorer);
    case "d":
      return choice.other !== null &&
        done(explorer.choose({ compare: choice.compare === "beside" ? "difference" : "beside" }));
    case "o":
      return done(
        /** @type {HTMLElement | null} */ (view.root.querySelector("[data-file]"))?.click(),
      );
    default:
      return filmKey(event.key, explorer.film);
  }
}

/** @param {unknown} _ */
const done = (_) => true;

/** @param {Explorer} explorer @param {HTMLElement} root */
function escape(explorer, root) {
  const { choice } = explorer;
  const menu = root.querySelector("details[name=layerscope-menu][open]");
  if (menu) menu.removeAttribute("open");
  else if (explorer.help) explorer.showHelp(false);
  else if (explorer.problem && explorer.shown) explorer.dismiss();
  else if (choice.explain) explorer.choose({ explain: false });
  else if (choice.place) explorer.choose({ place: null });
  else if (choice.channel !== null) explorer.choose({ channel: null });
  else return false;
  return true;
}

/** @param {Explorer} explorer @param {number} step @param {HTMLElement} [root] where the focus follows */
function layerBy(explorer, step, root) {
  if (!explorer.manifest) return false;
  const order = nodesIn(piecesOf(explorer.manifest));
  const next = order[order.indexOf(explorer.choice.node) + step];
  if (next === undefined) return true;
  explorer.select(next);
  if (root) {
    const row = () =>
      /** @type {HTMLElement | null} */ (root.querySelector(`.strip [data-node="${next}"]`));
    requestAnimationFrame(() => requestAnimationFrame(() => row()?.focus()));
  }
  return true;
}

/** @param {Explorer} explorer */
function anotherPicture(explorer) {
  const { film } = explorer;
  if (film.record) {
    film.show((film.picture + 1) % film.record.pictures.length);
    return true;
  }
  const runs = explorer.manifest?.runs ?? [];
  const next = after(
    runs.map((run) => run.id),
    explorer.choice.run,
  );
  if (next && next !== explorer.choice.run) explorer.choose({ run: next });
  return true;
}

/**
 * To another channel, or with Shift to another place in it.
 * @param {KeyboardEvent} event
 * @param {Explorer} explorer
 * @param {{scene: Scene | null, layout: Layout | null}} view
 */
function move(event, explorer, { scene, layout }) {
  const { choice } = explorer;
  if (!scene || !layout || scene.node !== choice.node) return false;
  const right = { ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0;
  const down = { ArrowUp: -1, ArrowDown: 1 }[event.key] ?? 0;
  const { layer } = scene;
  if (event.shiftKey && choice.channel !== null && (right || down)) {
    const { slice, row, column } = choice.place ?? {
      slice: 0, row: Math.floor(layer.height / 2), column: Math.floor(layer.width / 2),
    };
    const place = {
      slice,
      row: Math.min(layer.height - 1, Math.max(0, row + down)),
      column: Math.min(layer.width - 1, Math.max(0, column + right)),
    };
    explorer.choose({ place });
    return true;
  }
  const order = scene.groups.flatMap((group) => group.channels);
  const at = choice.channel === null ? -1 : order.indexOf(choice.channel);
  const across = Math.max(1, Math.floor(layout.columns / layer.slices));
  let next = at < 0 ? 0 : at + right + down * across;
  if (event.key === "Home") next = 0;
  if (event.key === "End") next = order.length - 1;
  if (next < 0 || next >= order.length) return true;
  explorer.choose({ channel: order[next] });
  return true;
}
