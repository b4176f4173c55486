// How two runs are compared: side by side, or by their difference.

import { html } from "../html.js";

/** @import {Explorer} from "../explorer.js" */
/** @import {Compare} from "../types" */

/** @type {[Compare, string][]} */
const WAYS = [
  ["beside", "side by side"],
  ["difference", "difference"],
];

/** @param {{explorer: Explorer}} props */
export const Comparing = ({ explorer }) => html`<span class="choice" role="group"
  aria-label="How to compare">
  ${WAYS.map(
    ([compare, word]) => html`<button type="button"
      aria-pressed=${explorer.choice.compare === compare}
      onClick=${() => explorer.choose({ compare })}>${word}</button>`,
  )}</span>`;
