// The line above the wall: the layer, its figures, and how its maps are drawn.

import { CLIPS, scalesOf, SORTS } from "../address.js";
import { COLORMAPS } from "../colours.js";
import { channelWord, counted, describe, number, percent, shape } from "../format.js";
import { html } from "../html.js";
import { numbersOf } from "../scales.js";
import { Legend } from "./legend.js";

/** @import {Explorer} from "../explorer.js" */
/** @import {Container, Finding, Run} from "../types" */
/** @import {Scene} from "../scene.js" */

/**
 * @param {object} props
 * @param {Explorer} props.explorer
 * @param {Scene | null} props.scene
 * @param {Container | null} props.statistics
 * @param {number} props.shownZoom  CSS pixels per value
 * @param {(kind: string) => void} props.onExport
 */
export function Toolbar({ explorer, scene, statistics, shownZoom, onExport }) {
  const { choice, nodes } = explorer;
  const node = nodes[choice.node];
  if (!node) return null;
  const findings = explorer.manifest?.findings.filter((one) => one.node === node.name) ?? [];
  return html`<div class="bar">
    <div class="layer-line">
      <h1><span class="index">${node.index ?? "in"}</span> ${node.name}</h1>
      <span class="type">${node.type}</span>
      <span class="soft">${describe(node)}</span>
      <span class="shape">${shape(node)}</span>
    </div>
    ${scene && html`<${Facts} explorer=${explorer} statistics=${statistics} scene=${scene} />`}
    ${findings.map((one) => html`<${FindingLine} finding=${one} />`)}
    <${Controls} explorer=${explorer} scene=${scene} shownZoom=${shownZoom} onExport=${onExport} />
    ${scene && html`<${Legend} scene=${scene} zoom=${shownZoom} />`}
  </div>`;
}

/** A finding; a mere note is one line until it is opened. @param {{finding: Finding}} props */
const FindingLine = ({ finding }) =>
  html`<details class="finding ${finding.level}" open=${finding.level !== "note"}>
    <summary><b>${finding.level}</b> ${finding.message}</summary>
    <i>${finding.remedy}</i>
  </details>`;

/** A run in few words: those of a record are all of one picture. @param {Run} run */
const named = ({ label, epoch }) => (epoch === undefined ? label : `epoch ${epoch}`);

/** @param {{explorer: Explorer, statistics: Container | null, scene: Scene}} props */
function Facts({ explorer, statistics, scene }) {
  const node = explorer.nodes[scene.node];
  const at = 5 * scene.node;
  const figures = statistics?.sections.layers?.data.subarray(at, at + 5);
  const [min, max, mean, std, zeros] = figures ?? [];
  const dead = statistics?.header.dead?.[scene.node];
  const { run, other } = explorer;
  const facts = [
    scene.difference && run && other && ["difference", `${named(run)} − ${named(other)}`],
    scene.layers.length > 1 && run && ["left", named(run)],
    scene.layers.length > 1 && other && ["right", named(other)],
    figures && !scene.difference && ["min", number(min)],
    figures && !scene.difference && ["mean", number(mean)],
    figures && !scene.difference && ["max", number(max)],
    figures && !scene.difference && ["std", number(std)],
    figures && !scene.difference && ["zeros", percent(zeros)],
    dead > 0 && !scene.difference && ["dead", counted(dead, channelWord(scene.layer))],
    node.parameters > 0 && ["parameters", node.parameters.toLocaleString("en")],
  ].filter((fact) => Array.isArray(fact));
  return html`<dl class="facts">
    ${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
    ${scene.layer.notes.map((note) => html`<div><dt>note</dt><dd>${note}</dd></div>`)}
  </dl>`;
}

const COLOURS = COLORMAPS.map((name) => [name, name]);
/** @type {Record<string, string>} */
const SCALES = {
  channel: "each channel",
  layer: "whole layer",
  symmetric: "symmetric",
  epochs: "layer, all epochs",
  "epochs-channel": "channel, all epochs",
};

/** @param {any} props */
function Controls({ explorer, scene, shownZoom, onExport }) {
  const { choice } = explorer;
  const numbers = numbersOf(choice.scale);
  /** @param {string} value */
  const scaled = (value) => {
    if (value !== "numbers") return explorer.choose({ scale: value });
    const { vmin, vmax } = scene.ranges;
    const low = Math.min(...[...vmin].filter(Number.isFinite), 0);
    const high = Math.max(...[...vmax].filter(Number.isFinite), low + 1e-6);
    return explorer.choose({
      scale: `${Number(low.toPrecision(3))},${Number(high.toPrecision(3))}`,
      clip: 0,
    });
  };
  const sizes = zooms(scene, choice.zoom).map((zoom) => [String(zoom), `${zoom}×`]);
  /** @param {number} which @param {string} text */
  const bounded = (which, text) => {
    const pair = [.../** @type {[number, number]} */ (numbers)];
    pair[which] = Number(text);
    if (numbersOf(pair.join(","))) explorer.choose({ scale: pair.join(",") });
  };
  return html`<div class="controls">
    <${Select} label="colour" value=${choice.colormap} data="colours"
      options=${[["auto", scene ? `auto: ${scene.colormap}` : "auto"], ...COLOURS]}
      onChange=${(/** @type {string} */ colormap) => explorer.choose({ colormap })} />
    <${Select} label="scale" value=${numbers ? "numbers" : choice.scale} data="scale"
      options=${scalesOf(explorer.film.record).map((name) => [name, SCALES[name]])
        .concat([["numbers", "numbers…"]])}
      onChange=${scaled} />
    ${
      numbers &&
      html`<span class="numbers">
      ${[0, 1].map(
        (which) => html`<input type="number" step="any" value=${numbers[which]}
        aria-label=${which ? "to" : "from"}
        onChange=${(/** @type {any} */ event) => bounded(which, event.target.value)} />`,
      )}
    </span>`
    }
    ${
      !numbers &&
      !choice.scale.startsWith("epochs") &&
      html`<${Select} label="clip" value=${String(choice.clip)} data="clip"
      options=${CLIPS.map((clip) => [String(clip), clip ? `${clip} %` : "none"])}
      onChange=${(/** @type {string} */ clip) => explorer.choose({ clip: Number(clip) })} />`
    }
    <${Select} label="sort" value=${choice.sort} data="sort"
      options=${SORTS.map((sort) => [sort, sort])}
      onChange=${(/** @type {string} */ sort) => explorer.choose({ sort })} />
    <${Select} label="size" value=${String(choice.zoom)} data="zoom"
      options=${[["0", `fits (${zoomWord(shownZoom)})`], ...sizes]}
      onChange=${(/** @type {string} */ zoom) => explorer.choose({ zoom: Number(zoom) })} />
    <details class="menu" name="layerscope-menu"><summary role="button">export</summary>
      <div class="sheet">
        <button type="button" onClick=${() => onExport("seen")}>the wall as it is seen, PNG</button>
        ${
          explorer.manifest.can.export &&
          html`
          <button type="button"
            onClick=${() => onExport("picture")}>this layer as <code>view</code> draws it, PNG</button>
          <button type="button" disabled=${choice.channel === null}
            onClick=${() => onExport("channel")}>the pinned channel, PNG</button>
          <button type="button" onClick=${() => onExport("array")}>the array, .npy</button>`
        }
      </div></details>
  </div>`;
}

/** @param {number} zoom */
const zoomWord = (zoom) =>
  zoom >= 1 ? `${Math.round(zoom * 100) / 100}×` : `1/${Math.round(1 / zoom)}`;

/** @param {Scene | null} scene @param {number} zoom */
function zooms(scene, zoom) {
  const most = scene
    ? Math.max(1, Math.floor(640 / Math.max(scene.layer.width, scene.layer.height, 10)))
    : 8;
  const usual = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64].filter(
    (one) => one <= Math.max(most, 4),
  );
  return zoom && !usual.includes(zoom) ? [...usual, zoom].sort((a, b) => a - b) : usual;
}

/**
 * @param {{label: string, value: string, data: string, options: string[][],
 *   onChange: (value: string) => void}} props
 */
function Select({ label, value, data, options, onChange }) {
  return html`<label><span class="word">${label}</span>
    <select value=${value} data-setting=${data}
      onChange=${(/** @type {any} */ event) => onChange(event.target.value)}>
      ${options.map(([name, word]) => html`<option value=${name}>${word}</option>`)}
    </select></label>`;
}
