// One of a run's inputs: its preview, which of several is shown, and how it was made.

import { nameOf } from "../format.js";
import { html } from "../html.js";

/** @import {InputRecord} from "../types" */

/**
 * @param {object} props
 * @param {InputRecord[]} props.inputs
 * @param {number} props.input
 * @param {(input: number) => void} props.onChoose
 */
export const Inputs = ({ inputs, input, onChoose }) => html`<select data-input
  aria-label="Input" value=${String(input)}
  onChange=${(/** @type {any} */ event) => onChoose(Number(event.target.value))}>
  ${inputs.map(({ name }, i) => html`<option value=${String(i)}>${name}</option>`)}</select>`;

/** How an input was made. @param {{record: InputRecord}} props */
export const Steps = ({ record }) => html`<details class="steps">
  <summary title=${record.file ?? record.name}>${nameOf(record.file ?? record.name)}: ${record.axes}${" "}
    ${record.shape.join(" × ")}</summary>
  <ol>${record.steps.map((step) => html`<li>${step}</li>`)}</ol>
</details>`;
