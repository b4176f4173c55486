// The training beside the maps: its curves, and what becomes of the layer that is shown.

import { lastOf } from "../../film/epochs.js";
import { number, percent } from "../../format.js";
import { html } from "../../html.js";
import { Chart } from "./chart.js";

/** @import {Explorer} from "../../explorer.js" */
/** @import {History, RecordInfo} from "../../types" */
/** @import {Line} from "./chart.js" */

const TALL = 52;
const LOW = 34;
const MOST = 4;
/** Columns that are no curve of how well it goes. */
const APART = ["epoch", "seconds", "learning_rate"];
const FIRST = ["accuracy", "loss"];

/** @param {{explorer: Explorer, side: number}} props */
export function Training({ explorer, side }) {
  const { film, choice, nodes } = explorer;
  const record = /** @type {RecordInfo} */ (film.record);
  const { history, epochs } = record;
  /** @type {[number, number]} */
  const span = [Math.min(epochs[0], history.epoch?.[0] ?? epochs[0]), lastOf(record)];
  const common = {
    span,
    at: film.epoch,
    against: film.against,
    width: side,
    onGo: (/** @type {number} */ epoch) => {
      film.pause();
      film.go(epoch);
    },
  };
  const metrics = metricsOf(history).slice(0, MOST);
  const { node } = choice;
  const name = nodes[node]?.name;
  const over = overTime(record, node);
  return html`<details class="training" open>
    <summary><h2>training</h2></summary>
    ${metrics.map((metric, i) => html`<${Chart} key=${metric} ...${common} title=${metric}
      epochs=${history.epoch} lines=${linesOf(history, metric)} tall=${TALL} word=${figure}
      best=${i === 0 ? record.best : null} foot=${!over.length && i === metrics.length - 1} />`)}
    ${!metrics.length && html`<p class="soft">No epoch has ended yet.</p>`}
    ${over.length > 0 && html`<h3>${name}</h3>`}
    ${over.map((one, i) => html`<${Chart} key=${one.title} ...${common} ...${one} epochs=${epochs}
      tall=${LOW} foot=${i === over.length - 1} />`)}
  </details>`;
}

/** A figure in three digits: a panel is narrow. @param {number | null} value */
const figure = (value) => number(value === null ? null : Number(value.toPrecision(3)));

/** What is told of each epoch, train and validation together. @param {History} history */
function metricsOf(history) {
  const names = Object.keys(history)
    .map((name) => name.replace(/^val_/, ""))
    .filter((name) => !APART.includes(name));
  const all = [...new Set(names)];
  return [...FIRST.filter((name) => all.includes(name)), ...all.filter((n) => !FIRST.includes(n))];
}

/** @param {History} history @param {string} metric @returns {Line[]} */
function linesOf(history, metric) {
  /** @type {Line[]} */
  const both = [
    { name: "train", kind: "train", values: history[metric] },
    { name: "validation", kind: "validation", values: history[`val_${metric}`] },
  ];
  return both.filter(({ values }) => values?.some((value) => value !== null));
}

/**
 * Zeros and dead channels of a layer at every recorded epoch.
 * @param {RecordInfo} record @param {number} node
 */
function overTime({ zeros, dead, channels }, node) {
  const shares = zeros[node];
  if (!shares?.some((share) => share !== null)) return [];
  const count = channels[node];
  const found = [
    {
      title: "values that are 0",
      lines: [{ name: "", kind: "validation", values: shares }],
      range: [0, 1],
      word: (/** @type {number | null} */ share) => (share === null ? "–" : percent(share)),
    },
  ];
  if (!dead[node]?.some((one) => one)) return found;
  return [
    ...found,
    {
      title: `dead channels, of ${count}`,
      lines: [{ name: "", kind: "validation", values: dead[node] }],
      range: [0, Math.max(1, ...dead[node].map((one) => one ?? 0))],
      word: (/** @type {number | null} */ one) => (one === null ? "–" : String(Math.round(one))),
    },
  ];
}
