// Explanations of layers that are no sums: maps that go in, what is done, and the map that comes out.

import { palette } from "../colours.js";
import { number, percent } from "../format.js";
import { html } from "../html.js";
import { DIVERGING, SEQUENTIAL } from "../tables.js";
import { Title } from "./explained_title.js";
import { MapCanvas, middleOf } from "./map.js";

/** @import {Container, Section} from "../types" */

const SIDE = 148;
const SIGNS = { add: "+", multiply: "×", subtract: "−", maximum: "or", minimum: "or", average: "+" };

/** @param {{container: Container, of: string}} props of: which of two runs, or nothing */
export function Other({ container, of }) {
  const { header, sections } = container;
  const { told } = header;
  const between = SIGNS[/** @type {keyof typeof SIGNS} */ (told.function)] ?? ",";
  const names = told.inputs?.map((/** @type {{node: string}} */ one) => one.node) ?? [told.source];
  const window = told.place ?? header.at?.map((/** @type {number} */ i) => [i, i + 1]);
  return html`<div class="other">
    <${Title} header=${header} of=${of} />
    <div class="equation">
      ${header.inputs.map(
        (/** @type {[number, number]} */ [, channel], /** @type {number} */ i) => html`
          ${i > 0 && html`<span class="sign">${between}</span>`}
          <${Drawn} section=${sections[`map${i}`]} signed=${header.signed[i]} marked=${window}
            label=${`${names[i] ?? header.source_name}:${channel}`} share=${told.inputs?.[i]?.share}
            value=${told.inputs?.[i]?.value ?? told.input} />`,
      )}
      <span class="sign">→<small>${done(header)}</small></span>
      <${Drawn} section=${sections.output} signed=${header.output_signed} label="output"
        marked=${header.at?.map((/** @type {number} */ i) => [i, i + 1])} value=${told.value} />
    </div>
    <pre class="told">${header.text.slice(1).join("\n").trim()}</pre>
  </div>`;
}

/** What is done, in a few words. @param {Record<string, any>} header */
function done({ kind, told }) {
  if (kind === "pool") return told.function === "max" ? "largest" : String(told.function);
  if (kind === "scale") return "scale and shift";
  return String(told.function ?? kind);
}

/**
 * @param {object} props
 * @param {Section} props.section
 * @param {boolean} props.signed
 * @param {string} props.label
 * @param {[number, number][]} [props.marked]  rows and columns in a frame
 * @param {number} [props.share]
 * @param {unknown} [props.value]
 */
function Drawn({ section, signed, label, marked, share, value }) {
  const { values, height, width } = middleOf(section, 0);
  const table = palette(signed ? DIVERGING : SEQUENTIAL);
  const said = typeof value === "number" ? ` = ${number(value)}` : "";
  const [rows, columns] = marked?.length === 2 ? marked : [null, null];
  const frame = rows &&
    columns && {
      top: `${(100 * rows[0]) / height}%`,
      left: `${(100 * columns[0]) / width}%`,
      height: `max(4px, ${(100 * (rows[1] - rows[0])) / height}%)`,
      width: `max(4px, ${(100 * (columns[1] - columns[0])) / width}%)`,
    };
  return html`<figure>
    <span class="large"><${MapCanvas} entries=${values} height=${height} width=${width}
      table=${table}
      side=${values.length === 1 ? 40 : SIDE} label=${label} />
      ${frame && values.length > 1 && html`<span class="pin" style=${frame}></span>`}</span>
    <figcaption>${label}${said}${share === undefined ? "" : ` · ${percent(share)}`}</figcaption>
  </figure>`;
}
