// The top of the page: the model, the picture, what the network says of it.

import { useRef } from "preact/hooks";

import { counted, number } from "../format.js";
import { html } from "../html.js";
import { Comparing } from "./comparing.js";
import { FilmPictures } from "./film/pictures.js";

/** @import {Explorer} from "../explorer.js" */
/** @import {Manifest, Run} from "../types" */

/** @type {Record<string, string>} */
const SIGNS = { light: "☀", dark: "☾" };

/** @param {{explorer: Explorer, theme: string, onTheme: () => void}} props */
export function Header({ explorer, theme, onTheme }) {
  const { manifest } = explorer;
  const run = explorer.run;
  if (!manifest) return null;
  const model = manifest.models[run?.model ?? 0];
  return html`<header class="top">
    <p class="brand">layerscope</p>
    <details class="about" name="layerscope-menu">
      <summary title="About this model">${model?.title ?? "a model in memory"}
        ${model?.framework && html` <span class="soft wide">${model.framework}</span>`}</summary>
      <${About} manifest=${manifest} run=${run} />
    </details>
    <${manifest.record ? FilmPictures : Pictures} explorer=${explorer} />
    ${run && html`<${Predictions} run=${run} other=${explorer.other} />`}
    <span class="fill"></span>
    <button type="button" class="quiet" onClick=${onTheme}
      aria-label=${`Theme: ${theme}`} title=${`theme: ${theme}`}>${SIGNS[theme] ?? "◐"}</button>
    <button type="button" class="quiet" onClick=${() => explorer.showHelp(!explorer.help)}
      aria-label="Keys and help" title="keys ( ? )">?</button>
  </header>`;
}

/** @param {{manifest: Manifest, run: Run | undefined}} props */
function About({ manifest, run }) {
  const model = manifest.models[run?.model ?? 0] ?? {};
  const facts = [
    ["file", model.file],
    ["format", model.format],
    ["framework", model.framework],
    ["SHA-256", model.sha256],
    ["layers", counted(manifest.nodes.length, "layer")],
    ["parameters", model.parameters?.toLocaleString("en")],
    ...(model.notes ?? []).map((note) => ["note", note]),
  ].filter(([, value]) => value);
  const steps = (run?.inputs ?? []).map(
    (input) => html`<h3>input ${input.name}</h3>
      <ol>${input.steps.map((step) => html`<li>${step}</li>`)}</ol>
      <p class="soft">fed as ${input.axes} ${input.shape.join(" × ")}</p>`,
  );
  const findings = manifest.findings.filter((finding) => !finding.node);
  return html`<div class="sheet">
    <dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
    ${steps}
    ${findings.map((one) => html`<p
      class="finding ${one.level}"><b>${one.level}</b> ${one.message} <i>${one.remedy}</i></p>`)}
    ${manifest.left_out && html`<p class="soft">${manifest.left_out}</p>`}
    <p class="soft">layerscope ${manifest.layerscope}</p>
  </div>`;
}

/** A run's picture, and its model where there are two. @param {Manifest} manifest @param {Run} run */
export function runLabel({ models }, run) {
  if (models.length < 2) return run.label;
  const { title } = models[run.model];
  const alike = models.filter((model) => model.title === title).length > 1;
  return `${run.label} · ${title}${alike ? ` (${run.model + 1})` : ""}`;
}

/**
 * The pictures: which is shown, which it is compared with, and a new one.
 * @param {{explorer: Explorer}} props
 */
function Pictures({ explorer }) {
  const { choice } = explorer;
  const manifest = /** @type {Manifest} */ (explorer.manifest);
  const file = useRef(/** @type {HTMLInputElement | null} */ (null));
  /** @param {Run} run */
  const label = (run) => runLabel(manifest, run);
  const others = manifest.runs.filter((run) => run.id !== choice.run);
  return html`<div class="pictures">
    <label><span class="word">picture</span>
      <select value=${choice.run} data-picture
        onChange=${(/** @type {any} */ event) => explorer.choose({ run: event.target.value })}>
        ${manifest.runs.map((run) => html`<option value=${run.id}>${label(run)}</option>`)}
      </select></label>
    ${
      manifest.can.run &&
      html`<button type="button" onClick=${() => file.current?.click()}
        title="or drop one anywhere on the page">open…</button>
      <input type="file" ref=${file} hidden data-file aria-label="Open a picture"
        onChange=${(/** @type {any} */ event) => {
          const [given] = event.target.files;
          event.target.value = "";
          if (given) void explorer.add(given);
        }} />`
    }
    ${
      others.length > 0 &&
      html`<label><span class="word">with</span>
      <select value=${choice.other ?? ""} data-compare aria-label="Compare with"
        onChange=${(/** @type {any} */ event) => explorer.choose({ other: event.target.value || null })}>
        <option value="">no comparison</option>
        ${others.map((run) => html`<option value=${run.id}>${label(run)}</option>`)}
      </select></label>`
    }
    ${choice.other && html`<${Comparing} explorer=${explorer} />`}
  </div>`;
}

/** @param {{run: Run, other: Run | undefined}} props */
function Predictions({ run, other }) {
  if (!run.predictions?.length) return null;
  const [first] = run.predictions;
  const others = new Map(other?.predictions ?? []);
  return html`<details class="predictions" name="layerscope-menu">
    <summary title="What the network says">${first[0]} <b>${number(first[1])}</b>
      ${other?.predictions?.length ? html`<span
        class="soft"> · ${other.predictions[0][0]} ${number(other.predictions[0][1])}</span>` : ""}
    </summary>
    <table class="sheet"><caption>predictions of ${run.label}</caption><tbody>
      ${run.predictions.map(
        ([name, value]) => html`<tr><th scope="row">${name}</th><td>${number(value)}</td>
        ${other && html`<td class="soft">${number(others.get(name))}</td>`}</tr>`,
      )}
    </tbody></table>
  </details>`;
}
