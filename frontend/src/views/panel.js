// The panel: the pinned channel large, its figures, its values, and the picture.

import { useEffect, useRef, useState } from "preact/hooks";

import { channelWord, number, percent, placed } from "../format.js";
import { html } from "../html.js";
import { figuresOfValues, plane, valueOf } from "../layer.js";
import { Forming } from "./film/kernels.js";
import { Training } from "./film/training.js";
import { runLabel } from "./header.js";
import { Histogram } from "./histogram.js";
import { Large } from "./large.js";
import { Scale, ticks } from "./legend.js";
import { Picture } from "./picture.js";
import { usePromise } from "./promise.js";

/** @import {Explorer} from "../explorer.js" */
/** @import {Pointer} from "../pointer.js" */
/** @import {Scene} from "../scene.js" */
/** @import {Place} from "../types" */

const HOW = "its figures, where it looks in the picture, and how it comes about.";

/** @param {{explorer: Explorer, scene: Scene | null, pointer: Pointer}} props */
export function Panel({ explorer, scene, pointer }) {
  const { choice } = explorer;
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [side, setSide] = useState(280);
  useEffect(() => {
    const own = box.current;
    if (!own) return undefined;
    const observer = new ResizeObserver(() => setSide(Math.max(120, own.clientWidth - 22)));
    observer.observe(own);
    return () => observer.disconnect();
  }, []);
  const pinned =
    scene &&
    scene.node === choice.node &&
    choice.channel !== null &&
    choice.channel < scene.layer.channels;
  const film = explorer.film.record !== null;
  return html`<aside class="panel" aria-label="Pinned channel" ref=${box} tabindex="0">
    ${film && html`<${Training} explorer=${explorer} side=${side} />`}
    ${
      pinned
        ? html`<${Pinned} explorer=${explorer} scene=${scene} pointer=${pointer} side=${side} />`
        : html`<p class="hint">Click a map to pin it: it is shown here large, with
          ${" "}${film ? "its figures at each epoch, and its kernels." : HOW}</p>`
    }
    ${film && html`<${Forming} explorer=${explorer} side=${side} />`}
    <${Picture} explorer=${explorer} scene=${scene} side=${side} />
    ${explorer.manifest?.left_out && html`<p
      class="soft left-out">${explorer.manifest.left_out}</p>`}
  </aside>`;
}

/** @param {{explorer: Explorer, scene: Scene, pointer: Pointer, side: number}} props */
function Pinned({ explorer, scene, pointer, side }) {
  const { choice, manifest } = explorer;
  const channel = /** @type {number} */ (choice.channel);
  const { layer, layers } = scene;
  const word = channelWord(layer);
  const group = layer.groups.find(({ start, stop }) => channel >= start && channel < stop);
  const each = layers.length > 1 ? Math.floor((side - 8) / 2) : side;
  const map = layer.slices * layer.height * layer.width > 1;
  return html`<section class="pinned">
    <h2>${word} ${channel}
      ${group && layer.groups.length > 1 && html`<span class="soft">from
        ${" "}${group.from ?? group.label}:${(group.first ?? 0) + channel - group.start}</span>`}
      <button type="button" class="quiet small" aria-label="Unpin" title="unpin ( Esc )"
        onClick=${() => explorer.choose({ channel: null, place: null, explain: false })}>×</button></h2>
    ${
      map &&
      html`<div class="larges">${layers.map(
        (one, which) => html`<figure key=${one.key}>
      <${Large} layer=${one} channel=${channel} place=${choice.place} side=${each}
        table=${scene.tables[which](channel)}
        label=${`${word} ${channel} of ${explorer.nodes[scene.node].name}, large`}
        onPoint=${(/** @type {Place | null} */ place, /** @type {MouseEvent} */ event) =>
          pointer.over(place && { channel, place, which, x: event.clientX, y: event.clientY })}
        onPin=${(/** @type {Place} */ place) => explorer.choose({ place })} />
      ${layers.length > 1 && html`<figcaption
        class="soft">${labelled(explorer, which)}</figcaption>`}
    </figure>`,
      )}</div>`
    }
    ${
      layer.slices > 1 &&
      html`<label class="slices"><span class="word">${layer.letters.slices ?? "slice"}</span>
      <input type="range" min="0" max=${layer.slices - 1} value=${choice.place?.slice ?? 0}
        onInput=${(/** @type {any} */ event) => {
          const { row = 0, column = 0 } = choice.place ?? {};
          explorer.choose({ place: { slice: Number(event.target.value), row, column } });
        }} /><output>${layer.sliceNumbers[choice.place?.slice ?? 0]}</output></label>`
    }
    <${Range} scene=${scene} channel=${channel} />
    <${Value} explorer=${explorer} scene=${scene} />
    ${layers.map((_, which) => html`<${Figured} key=${which} explorer=${explorer} scene=${scene}
      which=${which} channel=${channel} />`)}
    ${map && html`<${Values} explorer=${explorer} scene=${scene} channel=${channel} />`}
    ${
      manifest?.can.explain &&
      explainable(explorer) &&
      html`<button type="button" class="explain-button" aria-expanded=${choice.explain}
      onClick=${() => explorer.choose({ explain: !choice.explain })}>${choice.explain ? "▾" : "▸"}
        ${" "}explain ${choice.place ? "this value" : `this ${word}`}</button>`
    }
  </section>`;
}

/**
 * Which picture, and perhaps model, one of two maps is of.
 * @param {Explorer} explorer @param {number} which
 */
function labelled({ manifest, run, other }, which) {
  const one = [run, other][which];
  return manifest && one ? runLabel(manifest, one) : "";
}

/** One channel's exact values, or differences. @param {Explorer} explorer @param {number} channel */
const exactOf = ({ answers, choice, minus }, channel) =>
  answers.exact(choice.run, choice.node, channel, minus);

/** Whether a layer may be summed from its input's channels. @param {Explorer} explorer */
const explainable = ({ nodes, choice }) => nodes[choice.node]?.operation.kind !== "input";

/** What the colours of this channel span. @param {{scene: Scene, channel: number}} props */
function Range({ scene, channel }) {
  const { ranges, colormap, layer } = scene;
  const [low, high] = [ranges.vmin[channel], ranges.vmax[channel]];
  if (layer.constant.has(channel)) {
    return html`<p class="constant">constant ${number(layer.lo[channel])}</p>`;
  }
  if (!(low < high)) return null;
  return html`<${Scale} colormap=${colormap} words=${ticks(low, high).map(number)} />`;
}

/**
 * A channel's figures; of a difference they are worked out here, from its exact values.
 * @param {{explorer: Explorer, scene: Scene, which: number, channel: number}} props
 */
function Figured({ explorer, scene, which, channel }) {
  const ask = scene.difference && explorer.manifest?.can.exact;
  const told = usePromise(ask ? () => exactOf(explorer, channel) : null, [
    scene.layer.key,
    channel,
    ask,
  ]);
  const exact = ask && told ? figuresOfValues(told.sections.values.data) : null;
  const own = exact ?? scene.figures[which];
  const at = exact ? 0 : channel;
  const facts = [
    ["min", number(own.min[at])],
    ["mean", number(own.mean[at])],
    ["max", number(own.max[at])],
    ["zeros", percent(own.zeros[at])],
  ];
  return html`<dl class="facts">
    ${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** The exact value at the pinned place. @param {{explorer: Explorer, scene: Scene}} props */
function Value({ explorer, scene }) {
  const { choice, manifest } = explorer;
  const { run, other, node, channel, minus } = { ...choice, minus: explorer.minus };
  const place = choice.place ?? (single(scene) ? { slice: 0, row: 0, column: 0 } : null);
  const ask = place && manifest?.can.exact;
  const both = scene.layers.length > 1 && other;
  const told = usePromise(
    ask
      ? () =>
          Promise.all(
            (both ? [run, other] : [run]).map((one) =>
              explorer.store.value(one, node, /** @type {number} */ (channel), place, { minus }),
            ),
          )
      : null,
    [scene.layer.key, both, channel, place?.slice, place?.row, place?.column],
  );
  if (!place) return html`<p class="value soft">click a place for its value</p>`;
  const { layer } = scene;
  const entry = plane(layer, channel ?? 0, place.slice)[place.row * layer.width + place.column];
  const values =
    told?.map(({ value }) => value) ??
    (ask ? ["…"] : [`≈ ${number(valueOf(layer, channel ?? 0, entry))}`]);
  return html`<p class="value" data-value><span
    class="soft">${placed(layer, place)}</span> <b>${values.join(" | ")}</b></p>`;
}

/** @param {Scene} scene */
const single = ({ layer }) => layer.slices * layer.height * layer.width === 1;

/**
 * The histogram, of exact values where they can be had.
 * @param {{explorer: Explorer, scene: Scene, channel: number}} props
 */
function Values({ explorer, scene, channel }) {
  const exact = explorer.manifest?.can.exact;
  const told = usePromise(exact ? () => exactOf(explorer, channel) : null, [
    scene.layer.key,
    channel,
    exact,
  ]);
  const { layer } = scene;
  if (exact && !told) return html`<div class="histogram waiting"></div>`;
  const size = layer.slices * layer.height * layer.width;
  const values =
    told?.sections.values.data ??
    Float64Array.from(layer.entries.subarray(channel * size, (channel + 1) * size), (entry) =>
      valueOf(layer, channel, entry),
    );
  return html`<${Histogram} values=${values} exact=${Boolean(told)} />`;
}
