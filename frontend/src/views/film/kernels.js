// The kernels of a layer at an epoch, forming: all of them small, those of the pinned channel.

import { coloured, kernelsOf, single } from "../../film/kernels.js";
import { number } from "../../format.js";
import { html } from "../../html.js";
import { DIVERGING } from "../../tables.js";
import { Scale } from "../legend.js";
import { usePromise } from "../promise.js";
import { Mosaic } from "./mosaic.js";

/** @import {Explorer} from "../../explorer.js" */
/** @import {Kernels} from "../../film/kernels.js" */

const SMALL = 22;
const LARGE = 30;
const MOST = 256;

/** @param {{explorer: Explorer, side: number}} props */
export function Forming({ explorer, side }) {
  const { choice, manifest } = explorer;
  const { node, run, other } = choice;
  const held = manifest?.record?.kernels.includes(node);
  const epochs = [explorer.run?.epoch ?? 0, explorer.other?.epoch ?? null];
  const two = usePromise(
    held
      ? () =>
          Promise.all(
            epochs.map((one) => (one === null ? null : explorer.answers.kernels(node, one))),
          )
      : null,
    [held, node, run, other],
  );
  if (!held || !two?.[0]) return null;
  const shown = two.map((one) => one && kernelsOf(one)).filter((one) => one !== null);
  const [{ out, into, height, width, reach }] = shown;
  const channel = choice.channel !== null && choice.channel < out ? choice.channel : null;
  const colour = into === 3;
  const small = colour || into === 1;
  return html`<section class="forming" aria-label="Kernels">
    <h2>kernels <span class="soft">${height === 1 ? width : `${height} × ${width}`}</span></h2>
    ${shown.map((kernels, i) => html`
      ${shown.length > 1 && html`<h3>epoch ${epochs[i]}</h3>`}
      ${small && html`<${All} kernels=${kernels} channel=${channel} side=${side}
        onPin=${(/** @type {number} */ one) => explorer.choose({ channel: one, place: null })} />`}
      ${channel !== null && into > 1 && html`<${Own} kernels=${kernels} channel=${channel}
        side=${side} />`}`)}
    ${channel === null && !small && html`<p class="soft">Pin a channel: its
      ${" "}${into} kernels are shown here, one for each input channel.</p>`}
    ${(small || channel !== null) && html`
      <${Scale} colormap=${DIVERGING} words=${[-reach, 0, reach].map(number)} />
      <p class="soft">one scale for all epochs${colour ? "; as colours grey is 0" : ""}</p>`}
  </section>`;
}

/**
 * One kernel for each channel: in colours where three channels come in.
 * @param {{kernels: Kernels, channel: number | null, side: number, onPin: (one: number) => void}} props
 */
function All({ kernels, channel, side, onPin }) {
  const { out, into, height, width } = kernels;
  const colour = into === 3;
  return html`<${Mosaic} count=${Math.min(out, MOST)} height=${height} width=${width}
    side=${side} most=${SMALL} marked=${channel} onPick=${onPin}
    paint=${(/** @type {number} */ one) =>
      colour ? coloured(kernels, one) : single(kernels, one, 0)}
    label=${`kernels of ${Math.min(out, MOST)} of ${out} channels`
      + (colour ? ", red, green and blue together" : "")} of=${kernels} />`;
}

/**
 * The pinned channel's kernels, one for each input channel.
 * @param {{kernels: Kernels, channel: number, side: number}} props
 */
function Own({ kernels, channel, side }) {
  const { into, height, width } = kernels;
  const count = Math.min(into, MOST);
  return html`<figure class="own">
    <figcaption>channel ${channel}, for
      ${" "}${count < into ? `the first ${count} of ${into}` : into} input channels</figcaption>
    <${Mosaic} count=${count} height=${height} width=${width} side=${side} most=${LARGE}
      paint=${(/** @type {number} */ one) => single(kernels, channel, one)}
      label=${`kernels of channel ${channel} for ${count} input channels`} of=${kernels}
      key=${channel} />
  </figure>`;
}
