// A slider over the epochs: a tick for each that is recorded, a mark at the one that was kept.

import { epochWords, figuresAt, stepped } from "../../film/epochs.js";
import { number } from "../../format.js";
import { html } from "../../html.js";

/** @import {RecordInfo} from "../../types" */

const WIDE = 10_000;
const PAGE = 10;

/**
 * @param {object} props
 * @param {RecordInfo} props.record
 * @param {number} props.epoch
 * @param {string} props.label
 * @param {string} props.data  what tests and keys know it by
 * @param {(epoch: number) => void} props.onGo
 */
export function EpochSlider({ record, epoch, label, data, onGo }) {
  const { epochs, best } = record;
  const first = epochs[0];
  const last = /** @type {number} */ (epochs.at(-1));
  /** @param {number} one */
  const share = (one) => (last > first ? (one - first) / (last - first) : 0);
  const ticks = epochs.map((one) => `M${Math.round(WIDE * share(one))} 0V1`).join("");
  /** @param {KeyboardEvent} event */
  const onKey = (event) => {
    const by = STEPS[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    onGo(stepped(epochs, epoch, by));
  };
  const onInput = (/** @type {any} */ event) => {
    onGo(Number(event.target.value));
  };
  return html`<span class="slider" data-slider=${data}>
    <svg viewBox=${`0 0 ${WIDE} 1`} preserveAspectRatio="none" aria-hidden="true"><path
      d=${ticks} /></svg>
    ${best !== null && best >= first && best <= last && html`<span class="kept"
      style=${{ "--share": share(best) }} title=${`best: epoch ${best}`}></span>`}
    <input type="range" min=${first} max=${last} step="1" value=${epoch} data-epoch=${data}
      aria-label=${label} aria-valuetext=${said(record, epoch)}
      onInput=${onInput} onKeyDown=${onKey} />
  </span>`;
}

/** Recorded epochs that a key goes on by. @type {Record<string, number>} */
const STEPS = {
  ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -PAGE, PageUp: PAGE,
  Home: -Infinity, End: Infinity,
};

/** @param {RecordInfo} record @param {number} epoch */
function said(record, epoch) {
  const figures = figuresAt(record, epoch);
  const told = ["val_accuracy", "val_loss"]
    .filter((name) => typeof figures[name] === "number")
    .map((name) => `${name.replace("val_", "validation ")} ${number(figures[name])}`);
  return [epochWords(record, epoch), ...told].join(", ");
}
