// A small chart over the epochs: lines, a cursor at the epoch that is shown, and a click to go.

import { useRef } from "preact/hooks";

import { pathOf, reachOf, rounds } from "../../film/axis.js";
import { html } from "../../html.js";

const LEFT = 38;
const RIGHT = 6;
const TOP = 4;
const FOOT = 15;

/** @typedef {{name: string, kind: "train" | "validation", values: (number | null)[]}} Line */

/**
 * @param {object} props
 * @param {string} props.title
 * @param {number[]} props.epochs  where the lines have values
 * @param {Line[]} props.lines
 * @param {[number, number]} props.span  the first and the last epoch of the axis
 * @param {[number, number]} [props.range]  of values, where it is not the lines' own
 * @param {number} props.at
 * @param {number | null} props.against
 * @param {number | null} [props.best]
 * @param {number} props.width  CSS pixels
 * @param {number} props.tall  CSS pixels of the lines
 * @param {boolean} [props.foot]  whether the axis has its numbers
 * @param {(value: number | null) => string} props.word
 * @param {(epoch: number) => void} props.onGo
 */
export function Chart(props) {
  const { title, epochs, lines, span, at, against, best, width, tall, foot, word, onGo } = props;
  const svg = useRef(/** @type {SVGSVGElement | null} */ (null));
  const found = reachOf(lines.map((line) => line.values));
  const [low, high] = props.range ?? [found?.low ?? 0, found?.high ?? 1];
  const right = width - RIGHT;
  const bottom = TOP + tall;
  /** @param {number} epoch */
  const across = (epoch) =>
    LEFT + (span[1] > span[0] ? (epoch - span[0]) / (span[1] - span[0]) : 0) * (right - LEFT);
  /** @param {number} value */
  const down = (value) => bottom - (high > low ? (value - low) / (high - low) : 0.5) * tall;
  /** @param {PointerEvent} event */
  const pointed = (event) => {
    const box = svg.current?.getBoundingClientRect();
    if (!box || (event.type === "pointermove" && !(event.buttons & 1))) return;
    const share = (event.clientX - box.left - LEFT) / (right - LEFT);
    onGo(Math.round(span[0] + Math.min(1, Math.max(0, share)) * (span[1] - span[0])));
  };
  const row = epochs.indexOf(at);
  return html`<figure class=${lines.length > 1 ? "chart several" : "chart"}>
    <figcaption><span class="what">${title}</span>
      ${lines.map((line) => html`<span class="now ${line.kind}">${line.name &&
        html`<i aria-hidden="true"></i>${line.name}`}
        ${" "}<b>${word(line.values[row] ?? null)}</b></span>`)}</figcaption>
    <svg ref=${svg} width=${width} height=${bottom + (foot ? FOOT : 4)} role="img"
      aria-label=${said(props, low, high, row)}
      onPointerDown=${pointed} onPointerMove=${pointed}>
      ${rounds(low, high).map((value) => html`<g class="grid">
        <line x1=${LEFT} x2=${right} y1=${down(value)} y2=${down(value)} />
        <text x=${LEFT - 5} y=${down(value) + 3.5} text-anchor="end">${word(value)}</text></g>`)}
      ${best !== null && best !== undefined && html`<path class="best"
        d=${`M${across(best)} ${TOP + 5}l-3.5 -6h7z`}><title>best: epoch ${best}</title></path>`}
      ${against !== null && html`<line class="cursor against"
        x1=${across(against)} x2=${across(against)} y1=${TOP} y2=${bottom} />`}
      <line class="cursor" x1=${across(at)} x2=${across(at)} y1=${TOP} y2=${bottom} />
      ${lines.map((line) => html`<path class="line ${line.kind}"
        d=${pathOf(epochs, line.values, across, down)} />`)}
      ${lines.map((line) => dot(line, row, across(at), down))}
      ${foot && html`<g class="grid"><text x=${LEFT} y=${bottom + 12}>${span[0]}</text>
        <text x=${(LEFT + right) / 2} y=${bottom + 12} text-anchor="middle">epoch</text>
        <text x=${right} y=${bottom + 12} text-anchor="end">${span[1]}</text></g>`}
    </svg>
  </figure>`;
}

/**
 * @param {Line} line @param {number} row @param {number} x
 * @param {(value: number) => number} down
 */
function dot(line, row, x, down) {
  const value = line.values[row];
  if (value === null || value === undefined || !Number.isFinite(value)) return null;
  return html`<circle class="dot" cx=${x} cy=${down(value)} r="2.5" />`;
}

/**
 * The chart for those who do not see it.
 * @param {{title: string, lines: Line[], span: [number, number], at: number,
 *   word: (value: number | null) => string}} props
 * @param {number} low @param {number} high @param {number} row
 */
function said({ title, lines, span, at, word }, low, high, row) {
  const values = lines.map((line) => `${line.name} ${word(line.values[row] ?? null)}`.trim());
  return (
    `${title} over epochs ${span[0]} to ${span[1]}, from ${word(low)} to ${word(high)}; ` +
    `at epoch ${at}: ${values.join(", ")}`
  );
}
