// The scene: everything that decides how the wall looks, worked out once for each change.

import { isDiverging, suited } from "./colours.js";
import { ordered, strengths } from "./layer.js";
import { numbersOf, rangesOf, tablesOf } from "./scales.js";
import { SEQUENTIAL } from "./tables.js";

/** @import {Choice, Figures, LayerData, RecordInfo, WholeRange} from "./types" */
/** @import {Shown} from "./answers.js" */
/** @import {Ranges} from "./scales.js" */

/**
 * @typedef {object} Scene
 * @property {string} key  changes whenever anything below does
 * @property {number} node
 * @property {LayerData} layer  the first
 * @property {LayerData[]} layers
 * @property {Figures[]} figures
 * @property {boolean} difference
 * @property {{label: string, channels: number[]}[]} groups
 * @property {Ranges} ranges
 * @property {string} scale
 * @property {string} colormap
 * @property {((channel: number) => Uint32Array)[]} tables  one for each of the layers
 * @property {Float64Array[]} strengths
 * @property {boolean} bars
 */

/** @type {{shown: Shown | null, key: string, scene: Scene | null}} */
let last = { shown: null, key: "", scene: null };

/**
 * @param {Shown} shown
 * @param {Choice} choice
 * @param {RecordInfo | null} [record]
 * @returns {Scene}
 */
export function sceneOf(shown, choice, record = null) {
  const { layers, figures, difference, node } = shown;
  const whole = choice.scale.startsWith("epochs") ? wholeOf(record?.ranges[node], difference) : null;
  const key = [
    shown.key, choice.colormap, choice.scale, choice.clip, choice.sort, whole && record?.epochs,
  ].join("|");
  if (last.shown === shown && last.key === key && last.scene) return last.scene;
  const layer = layers[0];
  const signed = whole ? whole.signed : layers.some((one) => one.signed);
  const numbers = numbersOf(choice.scale);
  const centred = signed || choice.scale === "symmetric" || (numbers !== null && numbers[0] < 0);
  const colormap = choice.colormap === "auto" ? suited(centred) : choice.colormap;
  // What the entries span is what pictures use; figures matter where that is to be changed.
  const asSent =
    choice.scale === "channel" && !choice.clip && layers.length === 1 &&
    layer.arrangement !== "strip" && isDiverging(colormap) === signed;
  const known = asSent ? layers.map(() => null) : figures;
  const scene = {
    key,
    node,
    layer,
    layers,
    figures,
    difference,
    groups: ordered(layer, figures[0], choice.sort),
    ranges: rangesOf(layers, known, choice.scale, colormap, choice.clip, whole),
    scale: choice.scale,
    colormap,
    tables: /** @type {Scene["tables"]} */ ([]),
    strengths: layers.map((one, i) => strengths(one, figures[i])),
    bars: choice.scale === "channel" && layer.arrangement !== "strip",
  };
  scene.tables = layers.map((one) => tablesOf(one, scene.ranges, colormap));
  last = { shown, key, scene };
  return scene;
}

/**
 * The range of a layer over all epochs; of a difference as far as two epochs may lie apart.
 * @param {WholeRange | null | undefined} range @param {boolean} difference
 * @returns {WholeRange | null}
 */
function wholeOf(range, difference) {
  if (!range) return null;
  if (!difference) return range;
  /** @param {number | null} low @param {number | null} high */
  const apart = (low, high) => (low === null || high === null ? null : high - Math.min(low, 0));
  const most = /** @type {number} */ (apart(range.low, range.high));
  const each = range.channels?.low.map((low, c) => apart(low, range.channels?.high[c] ?? null));
  const channels = each && { low: each.map((far) => far && -far), high: each };
  return { low: -most, high: most, signed: true, channels };
}

/** @param {boolean} signed */
export const thumbnailMap = (signed) => (signed ? suited(true) : SEQUENTIAL);
