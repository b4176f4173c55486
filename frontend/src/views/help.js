// The keys, and what the page offers, in one sheet.

import { useEffect, useRef } from "preact/hooks";

import { FILM_KEYS } from "../film/keys.js";
import { html } from "../html.js";
import { KEYS } from "../keys.js";

/** What a record, whose network is not at hand, cannot do. */
const NOT_OF_FILMS = ["e", "o"];

/** @param {{film: boolean, onClose: () => void}} props film: whether a record is shown */
export function Help({ film, onClose }) {
  const close = useRef(/** @type {HTMLButtonElement | null} */ (null));
  useEffect(() => {
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    close.current?.focus();
    return () => before?.focus();
  }, []);
  const keys = film
    ? [...FILM_KEYS, ...KEYS.filter(([[key]]) => !NOT_OF_FILMS.includes(key))]
    : KEYS;
  const outside = (/** @type {MouseEvent} */ event) =>
    event.target === event.currentTarget && onClose();
  return html`<div class="veil" onClick=${outside}>
    <section class="help" role="dialog" aria-modal="true" aria-label="Keys">
      <h2>keys <button type="button" class="quiet" ref=${close} onClick=${onClose}
        aria-label="Close">×</button></h2>
      <dl>${keys.map(
        ([names, does]) => html`<dt>${names.map((key) => html`<kbd>${key}</kbd> `)}</dt>
          <dd>${does}</dd>`,
      )}</dl>
      <p class="soft">Click a map to pin its channel and the place; ${film
        ? "click a curve to go to its epoch;"
        : "drop a picture anywhere on the page to run it;"} the address holds all that is
        ${" "}chosen.</p>
    </section>
  </div>`;
}
