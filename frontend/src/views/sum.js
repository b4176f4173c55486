// A channel as the sum of its input channels' partial maps, drawn.

import { palette } from "../colours.js";
import { number, percent } from "../format.js";
import { html } from "../html.js";
import { DIVERGING, SEQUENTIAL } from "../tables.js";
import { Title } from "./explained_title.js";
import { Scale } from "./legend.js";
import { entriesOf, MapCanvas, middleOf, reachOf } from "./map.js";

/** @import {Container, Section} from "../types" */

const SIDE = 84;

/** @param {{container: Container, of: string}} props of: which of two runs, or nothing */
export function Sum({ container, of }) {
  const { header, sections } = container;
  const around = palette(DIVERGING);
  const own = palette(header.signed ? DIVERGING : SEQUENTIAL);
  const reach = reachOf(sections.kernel.data);
  const lettered = sections.contributions.shape[2] * sections.contributions.shape[3] > 1;
  /** @param {Section} section @param {number} i @param {Uint32Array} table @param {string} label */
  const drawn = (section, i, table, label) => {
    const { values, height, width } = middleOf(section, i);
    return html`<${MapCanvas} entries=${values} height=${height} width=${width} table=${table}
      side=${SIDE} label=${label} />`;
  };
  /** @param {number} i @param {string} label */
  const kernel = (i, label) => {
    const { values, height, width } = middleOf(sections.kernel, i);
    if (values.length === 1)
      return html`<span class="figure" title=${label}>${number(values[0])}</span>`;
    return html`<${MapCanvas} entries=${entriesOf(values, -reach, reach)} height=${height}
      width=${width}
      table=${around} side=${44} label=${label} />`;
  };
  const [low, high] = header.output_limits;
  const constant = low === high;
  const linear = header.function === "linear";
  const after = palette(header.output_signed ? DIVERGING : SEQUENTIAL);
  const volume = sections.contributions.shape[1] > 1;
  return html`<div class="sum">
    <div class="result">
      <${Title} header=${header} of=${of} />
      <p class="soft">${sumWords(header)}</p>
      <div class="equation">
        <figure>${drawn(sections.sum, 0, around, "sum of the partial maps")}
          <figcaption>Σ sum</figcaption></figure>
        <span class="sign">+ ${number(header.bias)}<small>bias</small></span>
        <figure>${drawn(sections.pre, 0, around, "sum and bias")}
          <figcaption>sum + bias</figcaption></figure>
        <span class="sign">→<small>${linear ? "as it is" : header.function}</small></span>
        <figure>${drawn(sections.output, 0, after, "output")}
          <figcaption>output ${constant ? `= ${number(low)}` : `to ${number(high)}`}</figcaption>
        </figure>
      </div>
      <${Scale} colormap=${DIVERGING} words=${[-header.reach, 0, header.reach].map(number)} />
      <p class="soft">${lettered ? "Partial maps and sums have one scale" : "Sums have one scale"},
        ${" "}kernels another, from −${number(reach)} to ${number(reach)}.
        ${volume && " The middle slice is drawn."}
        ${header.residual !== null && ` Checked: the sum differs from what the network computed by
          ${number(header.residual)} of its largest value.`}</p>
    </div>
    <ol class="terms" aria-label="Partial maps, the largest shares first">
      ${header.inputs.map(
        (
          /** @type {number} */ input,
          /** @type {number} */ i,
        ) => html`<li class="term" key=${input}>
        <span class="of">${header.source_name}:${input}</span>
        <div class="equation">
          ${drawn(sections.maps, i, own, `input channel ${input}`)}<span class="sign">×</span>
          ${kernel(i, `kernel for input channel ${input}`)}<span class="sign">=</span>
          ${drawn(sections.contributions, i, around, `partial map of input channel ${input}`)}
        </div>
        <${Share} share=${header.shares[i]} />
      </li>`,
      )}
      ${
        header.rest &&
        html`<li class="term rest">
        <span class="of">the other ${header.rest.count}, summed</span>
        <div class="equation">${drawn(
          sections.contributions, header.inputs.length, around, "the other partial maps, summed",
        )}</div>
        <${Share} share=${header.rest.share} />
      </li>`
      }
    </ol>
  </div>`;
}

/** @param {Record<string, any>} header */
function sumWords(header) {
  const parts = header.count === 1 ? "1 partial map" : `the sum of ${header.count} partial maps`;
  const then = header.function === "linear" ? "" : `, then ${header.function}`;
  return `${parts}, plus a bias${then}`;
}

/** @param {{share: number}} props */
const Share = ({ share }) =>
  html`<span class="share"><span class="track"><span
    style=${{ width: `${100 * share}%` }}></span></span> ${percent(share)}</span>`;
