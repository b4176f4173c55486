// The explanation of the pinned channel or value, of whichever kind it is.

import { useEffect, useState } from "preact/hooks";

import { html } from "../html.js";
import { messageOf } from "../messages.js";
import { runLabel } from "./header.js";
import { Neuron } from "./neuron.js";
import { Other } from "./other.js";
import { Sum } from "./sum.js";

/** @import {Container, Manifest} from "../types" */
/** @import {Explorer} from "../explorer.js" */
/** @import {Scene} from "../scene.js" */

/** @param {{explorer: Explorer, scene: Scene}} props */
export function Explain({ explorer, scene }) {
  const { choice } = explorer;
  const { node, channel, place, explained } = choice;
  const run = (explained === "other" && choice.other) || choice.run;
  const [all, setAll] = useState(false);
  const [told, setTold] = useState(/** @type {{container?: Container, message?: string}} */ ({}));
  useEffect(() => {
    if (channel === null) return undefined;
    const stop = new AbortController();
    explorer.store.explain(run, node, channel, place, { all, signal: stop.signal }).then(
      (container) => setTold({ container }),
      (problem) => stop.signal.aborted || setTold({ message: messageOf(problem) }),
    );
    return () => stop.abort();
  }, [scene.layer.key, run, channel, place?.slice, place?.row, place?.column, all]);
  const { container, message } = told;
  const header = container?.header;
  const close = () => explorer.choose({ explain: false });
  return html`<section class="explain" aria-label="Explanation" data-keys="explain" tabindex="0">
    <button type="button" class="quiet close" onClick=${close} aria-label="Close the explanation"
      title="close ( e )">×</button>
    ${choice.other && html`<${Which} explorer=${explorer} />`}
    ${message && html`<p class="finding note">${message}</p>`}
    ${!container && !message && html`<p class="soft">taking the channel apart …</p>`}
    ${header?.came_from?.map((/** @type {string} */ line) => html`<p class="soft">${line}</p>`)}
    ${header && html`<${viewOf(header)} container=${container}
      of=${choice.other ? labelOf(explorer, run) : ""} />`}
    ${header?.rest && html`<button type="button" class="small"
      onClick=${() => setAll(true)}>show all ${header.count} input channels</button>`}
  </section>`;
}

/** @param {Record<string, any>} header */
function viewOf({ kind, at }) {
  if (kind !== "sum") return Other;
  return at ? Neuron : Sum;
}

/** Of two runs that are compared: which is explained. @param {{explorer: Explorer}} props */
function Which({ explorer }) {
  const { choice } = explorer;
  return html`<div class="which"><span class="word">explained</span>
    <span class="choice" role="group" aria-label="Which of the two is explained">
      ${/** @type {const} */ (["run", "other"]).map(
        (one) => html`<button type="button" aria-pressed=${choice.explained === one}
          onClick=${() => explorer.choose({ explained: one })}>
          ${labelOf(explorer, choice[one])}</button>`,
      )}</span></div>`;
}

/** @param {Explorer} explorer @param {string | null} id */
function labelOf(explorer, id) {
  const run = explorer.runOf(id);
  return run ? runLabel(/** @type {Manifest} */ (explorer.manifest), run) : "";
}
