// What is being waited for, and what went wrong.

import { html } from "../html.js";

/** @import {Explorer} from "../explorer.js" */
/** @import {Progress} from "../types" */

/** @param {{progress: Progress}} props */
export function Opening({ progress }) {
  return html`<main class="message" aria-busy="true">
    <h1 class="brand">layerscope</h1>
    <p aria-live="polite">${progress.phase}${progress.detail ? html` <span
      class="soft">${progress.detail}</span>` : ""} …</p>
    <${Bar} fraction=${progress.fraction} label=${progress.phase} />
  </main>`;
}

/** @param {{message: string}} props */
export function Failed({ message }) {
  return html`<main class="message">
    <h1 class="brand">layerscope</h1>
    <p class="failed" role="alert">${message}</p>
  </main>`;
}

/** A record without a single epoch. @param {{explorer: Explorer}} props */
export const Awaited = ({ explorer: { manifest, problem } }) => html`<main class="message">
  <h1 class="brand">${manifest?.models[0]?.title}</h1>
  <p role="status">No epoch is recorded yet.
    ${manifest?.record?.growing && " The first is shown as soon as it is there."}</p>
  ${problem && html`<p class="failed" role="alert">${problem}</p>`}
</main>`;

/** @param {{label: string, progress: Progress, onCancel: () => void}} props */
export function Job({ label, progress, onCancel }) {
  return html`<div class="job" role="status">
    <span>${label}: ${progress.phase}${progress.detail ? ` ${progress.detail}` : ""} …</span>
    <${Bar} fraction=${progress.fraction} label=${progress.phase} />
    <button type="button" onClick=${onCancel}>cancel</button>
  </div>`;
}

/** @param {{fraction: number | null, label: string}} props */
const Bar = ({ fraction, label }) =>
  fraction === null || fraction === undefined
    ? html`<progress aria-label=${label}></progress>`
    : html`<progress max="1" value=${fraction} aria-label=${label}></progress>`;
