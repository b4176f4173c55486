// A record's pictures, and the epochs that the one shown may be compared with.

import { bestOf, epochWords } from "../../film/epochs.js";
import { html } from "../../html.js";
import { Comparing } from "../comparing.js";

/** @import {Explorer} from "../../explorer.js" */
/** @import {RecordInfo} from "../../types" */

/** @param {{explorer: Explorer}} props */
export function FilmPictures({ explorer }) {
  const { film } = explorer;
  const record = /** @type {RecordInfo} */ (film.record);
  const { pictures, epochs } = record;
  const { against, picture } = film;
  const particular = [epochs[0], bestOf(record), epochs.at(-1)];
  const quick = epochs.filter((epoch) => particular.includes(epoch));
  /** @param {number[]} some */
  const options = (some) =>
    some.map((epoch) => html`<option value=${String(epoch)}>${epochWords(record, epoch)}</option>`);
  const rest = epochs.filter((epoch) => !particular.includes(epoch));
  return html`<div class="pictures">
    <label><span class="word">picture</span>
      <select value=${String(picture)} data-picture
        onChange=${(/** @type {any} */ event) => film.show(Number(event.target.value))}>
        ${pictures.map((label, i) => html`<option value=${String(i)}>${label}</option>`)}
      </select></label>
    ${epochs.length > 1 && html`<label><span class="word">with</span>
      <select value=${against === null ? "" : String(against)} data-compare
        aria-label="Compare with"
        onChange=${(/** @type {any} */ { target }) =>
          film.compare(target.value ? Number(target.value) : null)}>
        <option value="">no comparison</option>
        ${options(quick)}
        ${rest.length > 0 && html`<optgroup label="other epochs">${options(rest)}</optgroup>`}
      </select></label>`}
    ${against !== null && html`<${Comparing} explorer=${explorer} />`}
  </div>`;
}
