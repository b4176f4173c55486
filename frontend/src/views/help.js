// The keys, and what the page offers, in one sheet.

import { useEffect, useRef } from "preact/hooks";

import { html } from "../html.js";
import { KEYS } from "../keys.js";

/** @param {{onClose: () => void}} props */
export function Help({ onClose }) {
  const close = useRef(/** @type {HTMLButtonElement | null} */ (null));
  useEffect(() => {
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    close.current?.focus();
    return () => before?.focus();
  }, []);
  return html`<div class="veil"
    onClick=${(/** @type {MouseEvent} */ event) => event.target === event.currentTarget && onClose()}>
    <section class="help" role="dialog" aria-modal="true" aria-label="Keys">
      <h2>keys <button type="button" class="quiet" ref=${close} onClick=${onClose}
        aria-label="Close">×</button></h2>
      <dl>${KEYS.map(([keys, does]) => html`<dt>${keys.map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${does}</dd>`)}</dl>
      <p class="soft">Click a map to pin its channel and the place; drop a picture anywhere on the page to run it; the address holds all that is chosen.</p>
    </section>
  </div>`;
}
