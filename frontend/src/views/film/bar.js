// The bar of a record's film: play, step, the epoch, how fast; and what it is compared with.

import { countOf, epochWords } from "../../film/epochs.js";
import { SPEEDS } from "../../film/film.js";
import { html } from "../../html.js";
import { EpochSlider } from "./slider.js";

/** @import {Explorer} from "../../explorer.js" */
/** @import {Film} from "../../film/film.js" */
/** @import {RecordInfo} from "../../types" */

const ICONS = {
  first: "M2 2h2v10H2zM12 2v10L5 7z",
  back: "M11 2v10L3 7z",
  play: "M3 1.5v11L12.5 7z",
  pause: "M3 2h3v10H3zM8 2h3v10H8z",
  on: "M3 2v10l8-5z",
  loop: "M7 2a5 5 0 1 1-4.6 3l1.5.6A3.4 3.4 0 1 0 7 3.6V6L3.4 2.8 7 0z",
};

/** @param {{explorer: Explorer}} props */
export function FilmBar({ explorer }) {
  const { film } = explorer;
  const record = /** @type {RecordInfo} */ (film.record);
  const { epoch, against } = film;
  const go = (/** @type {number} */ one) => {
    film.pause();
    film.go(one);
  };
  const digits = { "--digits": String(countOf(record)).length };
  return html`<section class="film" aria-label="Epochs">
    <${Transport} film=${film} />
    <${EpochSlider} record=${record} epoch=${epoch} label="Epoch" data="shown" onGo=${go} />
    <p class="epoch" style=${digits}>epoch <b data-now>${epoch}</b>
      ${" "}<span class="soft">of ${countOf(record)}</span>
      ${record.growing && html`<span class="growing" title="the training runs; what is new is shown
        as it comes"></span><span class="said">The training runs.</span>`}</p>
    <${Speed} film=${film} />
    <p class="said" aria-live="polite">${film.playing ? "" : epochWords(record, epoch)}</p>
    ${against !== null && html`
      <span class="against word">against</span>
      <${EpochSlider} record=${record} epoch=${against} label="Epoch to compare with"
        data="against" onGo=${(/** @type {number} */ one) => film.compare(one)} />
      <p class="epoch" style=${digits}>epoch <b>${against}</b></p>
      <button type="button" class="quiet small" aria-label="End the comparison"
        onClick=${() => film.compare(null)}>×</button>`}
  </section>`;
}

/** @param {{film: Film}} props */
function Transport({ film }) {
  const { playing, epochs, epoch } = film;
  const [first, last] = [epoch === epochs[0], epoch === epochs.at(-1)];
  const begin = () => {
    film.pause();
    film.go(epochs[0]);
  };
  return html`<span class="transport">
    <${Key} icon="first" label="First epoch" off=${first} onClick=${begin} />
    <${Key} icon="back" label="Epoch before" keys="," off=${first}
      onClick=${() => film.step(-1)} />
    <${Key} icon=${playing ? "pause" : "play"} label=${playing ? "Pause" : "Play"} keys="space"
      off=${epochs.length < 2} onClick=${() => film.toggle()} />
    <${Key} icon="on" label="Epoch after" keys="." off=${last} onClick=${() => film.step(1)} />
  </span>`;
}

/** @param {{film: Film}} props */
const Speed = ({ film }) => html`<span class="speed">
  <select value=${String(film.speed)} data-speed aria-label="Epochs a second"
    onChange=${(/** @type {any} */ event) => film.set({ speed: Number(event.target.value) })}>
    ${SPEEDS.map((speed) => html`<option value=${String(speed)}>${speed}/s</option>`)}
  </select>
  <${Key} icon="loop" label="Again and again" pressed=${film.loop}
    onClick=${() => film.set({ loop: !film.loop })} />
  ${film.playing && film.slower > 0 && html`<span class="soft slower" role="status"
    title="every epoch is shown; the next is waited for">now ${film.slower.toFixed(1)}/s</span>`}
</span>`;

/**
 * @param {object} props
 * @param {keyof typeof ICONS} props.icon
 * @param {string} props.label
 * @param {string} [props.keys]
 * @param {boolean} [props.off]  not disabled, which would let go of the focus
 * @param {boolean} [props.pressed]
 * @param {() => void} props.onClick
 */
const Key = ({ icon, label, keys, off, pressed, onClick }) => html`<button type="button"
  class="quiet" aria-label=${label} title=${keys ? `${label} ( ${keys} )` : label}
  aria-disabled=${off ? "true" : undefined} aria-pressed=${pressed}
  onClick=${() => off || onClick()}>
  <svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true"><path
    d=${ICONS[icon]} /></svg></button>`;
