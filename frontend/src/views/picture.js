// The picture: what of it the pinned neuron sees, and the pinned map laid over it.

import { useLayoutEffect, useRef, useState } from "preact/hooks";

import { axisWord } from "../format.js";
import { html } from "../html.js";
import { plane } from "../layer.js";
import { Inputs, Steps } from "./input.js";
import { MapCanvas } from "./map.js";
import { usePromise } from "./promise.js";

/** @import {Container, Field, Section} from "../types" */
/** @import {Explorer} from "../explorer.js" */
/** @import {Scene} from "../scene.js" */

/** @param {{explorer: Explorer, scene: Scene | null, side: number}} props */
export function Picture({ explorer, scene, side }) {
  const { choice, manifest } = explorer;
  const { run } = explorer;
  const inputs = run?.inputs ?? [];
  // A record holds one picture of each run, whichever input that is of.
  const several = inputs.length > 1 && !manifest?.record;
  const [chosen, setChosen] = useState(0);
  const input = several ? Math.min(chosen, inputs.length - 1) : undefined;
  const from = run?.preview ?? choice.run;
  const held = usePromise(
    () => explorer.answers.preview(from, input).then((preview) => ({ preview, input })),
    [from, input],
  );
  const preview = held?.preview;
  const shown = inputs[held?.input ?? 0];
  const every = useField(explorer, scene);
  const fields = several ? every.filter((one) => one.input === shown.name) : every;
  const [network, setNetwork] = useState(false);
  if (!preview || !run) return null;
  const { original, rgb } = preview.sections;
  const seen = (network || !original ? rgb : original) ?? original;
  if (!seen && !several) return null;
  const heading = html`<h2>${several
    ? html`input <${Inputs} inputs=${inputs} input=${input ?? 0} onChoose=${setChosen} />`
    : "picture"} ${original && rgb && html`<button type="button" class="quiet small"
      aria-pressed=${network} title="as the network sees it"
      onClick=${() => setNetwork(!network)}>as fed</button>`}</h2>`;
  const steps = (several ? [shown] : inputs).map((one) => html`<${Steps} record=${one} />`);
  if (!seen) {
    return html`<section class="picture" aria-label="Picture">${heading}
      <p class="soft">This input is no picture: its values are shown as a layer.</p>
      ${steps}</section>`;
  }
  const [height, width] = seen.shape;
  const scale = Math.min(side / width, 300 / height);
  const zoom = scale >= 2 ? Math.floor(scale) : scale;
  const size = { width: `${width * zoom}px`, height: `${height * zoom}px` };
  const box = boxOf(fields, seen === original, preview, width, height);
  const layer = scene?.layer;
  const { channel } = choice;
  const overlaid =
    layer &&
    channel !== null &&
    channel < layer.channels &&
    choice.overlay > 0 &&
    layer.arrangement === "mosaic";
  const slice = choice.place?.slice ?? 0;
  return html`<section class="picture" aria-label="Picture">
    ${heading}
    <div class="seen" style=${size}>
      <${Photo} seen=${seen} size=${size}
        crisp=${zoom >= 2} label=${several ? `${shown.name} of ${run.label}` : run.label} />
      ${
        overlaid &&
        html`<div class="over" style=${{ opacity: choice.overlay }}>
        <${MapCanvas} entries=${plane(layer, channel, slice)} height=${layer.height}
          width=${layer.width}
          table=${scene.tables[0](channel)} side=${10} /></div>`
      }
      ${box && html`<span class="field" style=${box}></span>`}
    </div>
    ${
      choice.channel !== null &&
      layer?.arrangement === "mosaic" &&
      html`<label class="overlay"><span class="word">map over it</span>
      <input type="range" min="0" max="1" step="0.05" value=${choice.overlay} data-overlay
        onInput=${(/** @type {any} */ event) => explorer.choose({ overlay: Number(event.target.value) })} />
      <output>${Math.round(100 * choice.overlay)} %</output></label>`
    }
    ${every.map((field) => html`<p
      class="sees">${fieldWords(field, manifest?.inputs.length ?? 1)}</p>`)}
    ${steps}
  </section>`;
}

/** @param {Field} field @param {number} inputs */
function fieldWords(field, inputs) {
  const letters = [...(field.axes ?? "")];
  const said = field.ranges.map(
    ([start, stop], i) => `${axisWord(letters[i])} ${start}–${stop - 1}`,
  );
  const of = inputs > 1 ? ` of ${field.input}` : "";
  const notes = field.notes?.length ? ` ${field.notes.join("; ")}.` : "";
  const sees = field.ranges.every(([start, stop]) => stop > start) && said.length;
  return sees ? `sees ${said.join(", ")}${of} (${field.status}).${notes}` : `sees nothing${of}.`;
}

/**
 * @param {Field[]} fields @param {boolean} whole @param {Container} preview
 * @param {number} width @param {number} height
 */
function boxOf(fields, whole, preview, width, height) {
  for (const field of fields) {
    let box = field.picture;
    let scale = preview.header.scale ?? 1;
    if (!whole || !box) {
      const at = [...(field.axes ?? "HW")];
      const rows = field.ranges[at.indexOf("H")];
      const columns = field.ranges[at.indexOf("W")];
      if (whole || !rows || !columns) continue;
      box = { top: rows[0], bottom: rows[1], left: columns[0], right: columns[1] };
      scale = 1;
    }
    /** @param {number} value @param {number} all */
    const share = (value, all) => `${(100 * value * scale) / all}%`;
    return {
      left: share(box.left, width),
      top: share(box.top, height),
      width: share(box.right - box.left, width),
      height: share(box.bottom - box.top, height),
    };
  }
  return null;
}

/** @param {{seen: Section, size: any, crisp: boolean, label: string}} props */
function Photo({ seen, size, crisp, label }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [height, width] = seen.shape;
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const image = context.createImageData(width, height);
    const { data } = seen;
    for (let i = 0, at = 0; i < data.length; i += 3, at += 4) {
      image.data[at] = data[i];
      image.data[at + 1] = data[i + 1];
      image.data[at + 2] = data[i + 2];
      image.data[at + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }, [seen]);
  return html`<canvas class=${crisp ? "map" : "map smooth"} ref=${canvas} width=${width}
    height=${height}
    role="img" aria-label=${label} style=${size}></canvas>`;
}

/** @param {Explorer} explorer @param {Scene | null} scene @returns {Field[]} */
function useField(explorer, scene) {
  const { choice, manifest } = explorer;
  const { run, node, channel, place } = choice;
  const ready = manifest?.can.field && scene?.node === node;
  const found = usePromise(
    ready && channel !== null && place
      ? () => explorer.store.field(run, node, channel, place)
      : null,
    [ready, run, node, channel, place?.slice, place?.row, place?.column],
  );
  return ready && channel !== null && place && found ? found : [];
}
