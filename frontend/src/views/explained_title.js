// The heading of an explanation.

import { html } from "../html.js";

/**
 * @param {object} props
 * @param {Record<string, any>} props.header  of the explanation's container
 * @param {string} props.of  which of two runs, or nothing
 */
export function Title({ header: { name, channel, at }, of }) {
  return html`<h2>${name}, channel ${channel}${at?.length ? `, at ${at.join(", ")}` : ""}
    ${of && html` <span class="soft">of ${of}</span>`}</h2>`;
}
