// The page as a whole: header, strip, wall, panel, and what lies over them.

import { useEffect, useReducer, useRef, useState } from "preact/hooks";

import { messageOf } from "../messages.js";
import { save } from "../exporting.js";
import { grow } from "../film/growing.js";
import { html } from "../html.js";
import { pressed } from "../keys.js";
import { Pointer } from "../pointer.js";
import { sceneOf } from "../scene.js";
import { onSystemChange, remember, remembered, system, themeOf } from "../theme.js";
import { Explain } from "./explain.js";
import { FilmBar } from "./film/bar.js";
import { Header } from "./header.js";
import { Help } from "./help.js";
import { Panel } from "./panel.js";
import { usePromise } from "./promise.js";
import { Readout } from "./readout.js";
import { Strip } from "./strip.js";
import { Toolbar } from "./toolbar.js";
import { Failed, Job, Awaited, Opening } from "./waiting.js";
import { Wall } from "./wall.js";

/** @import {Explorer} from "../explorer.js" */
/** @import {Layout} from "../layout.js" */
/** @import {Choice} from "../types" */

const THEMES = ["auto", "dark", "light"];

/** @param {{explorer: Explorer, alone: boolean}} props alone: whether the page is the explorer's own */
export function App({ explorer, alone }) {
  const [, redraw] = useReducer((/** @type {number} */ count) => count + 1, 0);
  const root = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [theme, setTheme] = useState(remembered);
  const [pointer] = useState(() => new Pointer(explorer));
  const [layout, setLayout] = useState(/** @type {Layout | null} */ (null));
  const [dropping, setDropping] = useState(false);
  useEffect(() => {
    const unsubscribe = explorer.subscribe(() => redraw(0));
    return () => void unsubscribe();
  }, [explorer]);
  useEffect(() => onSystemChange(() => redraw(0)), []);

  const { status, choice, shown, manifest } = explorer;
  const scene = shown && shown.node === choice.node ? sceneOf(shown, choice, manifest?.record) : null;
  const last = useRef(scene);
  if (scene) last.current = scene;
  const drawn = scene ?? (explorer.problem ? null : last.current);
  const empty = manifest?.record?.epochs.length === 0;
  const ready = status === "ready" && !empty;
  const thumbnails = usePromise(ready ? () => explorer.answers.thumbnails(choice.run) : null, [
    ready,
    choice.run,
  ]);
  const statistics = usePromise(ready ? () => explorer.answers.statistics(choice.run) : null, [
    ready,
    choice.run,
  ]);
  const growing = Boolean(manifest?.record?.growing);
  useEffect(() => (growing ? grow(explorer) : undefined), [explorer, growing]);
  useEffect(() => pointer.refresh(), [shown?.key]);
  const ratio = globalThis.devicePixelRatio || 1;
  const zoom = (layout?.zoom ?? 1) / ratio;

  const onKey = useRef((/** @type {KeyboardEvent} */ _) => {});
  onKey.current = (event) => {
    if (!ready || !root.current || event.defaultPrevented) return;
    if (!pressed(event, explorer, { scene, layout, zoom, root: root.current })) return;
    event.preventDefault();
    event.stopPropagation();
  };
  useEffect(() => {
    const target = alone ? document : root.current;
    /** @param {Event} event */
    const listen = (event) => onKey.current(/** @type {KeyboardEvent} */ (event));
    target?.addEventListener("keydown", listen);
    return () => target?.removeEventListener("keydown", listen);
  }, [alone]);
  useEffect(() => {
    if (!alone || !manifest) return;
    const names = [explorer.nodes[choice.node]?.name ?? "", manifest.models[0]?.title ?? ""];
    document.title = [...names, "layerscope"].join(" · ");
  }, [choice.node, manifest]);

  /** @param {DragEvent} event @param {boolean} over */
  const dragged = (event, over) => {
    if (!manifest?.can.run || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    setDropping(over);
  };
  /** @param {DragEvent} event */
  const left = (event) => event.target === root.current && setDropping(false);
  /** @param {DragEvent} event */
  const dropped = (event) => {
    dragged(event, false);
    const file = event.dataTransfer?.files[0];
    if (file && manifest?.can.run) void explorer.add(file);
  };
  /** @param {number} channel @param {Choice["place"]} place */
  const pin = (channel, place) => explorer.choose({ channel, place });
  /** @param {string} kind */
  const exported = (kind) => {
    root.current?.querySelector("details.menu")?.removeAttribute("open");
    if (!scene || !layout || !root.current) return;
    const view = { scene, layout, ratio, theme: themeOf(root.current) };
    save(explorer, kind, view).catch((problem) => {
      explorer.problem = messageOf(problem);
      explorer.tell();
    });
  };
  const explaining = scene && choice.explain && choice.channel !== null && manifest?.can.explain;
  const shownTheme = theme === "auto" ? "" : theme;
  return html`<div
    class=${`layerscope ${alone ? "alone" : "embedded"} ${explaining ? "explaining" : ""}`}
      data-theme=${shownTheme} data-status=${status} ref=${root}
      onDragOver=${(/** @type {DragEvent} */ event) => dragged(event, true)}
      onDragLeave=${left} onDrop=${dropped}>
    ${status === "loading" && html`<${Opening} progress=${explorer.progress} />`}
    ${status === "failed" && html`<${Failed} message=${explorer.message} />`}
    ${empty && html`<${Awaited} explorer=${explorer} />`}
    ${
      ready &&
      manifest &&
      html`
      <${Header} explorer=${explorer} theme=${theme} onTheme=${() => {
        const next = THEMES[(THEMES.indexOf(theme) + 1) % 3];
        remember(next);
        setTheme(next);
      }} />
      ${manifest.record && html`<${FilmBar} explorer=${explorer} />`}
      <div class="body">
        <${Strip} manifest=${manifest} nodes=${explorer.nodes} thumbnails=${thumbnails}
          statistics=${statistics}
          selected=${choice.node} onSelect=${(/** @type {number} */ node) => explorer.select(node)} />
        <main class="middle" aria-busy=${explorer.busy}>
          <${Toolbar} explorer=${explorer} scene=${drawn} statistics=${statistics} shownZoom=${zoom}
            onExport=${exported} />
          ${
            explorer.problem &&
            html`<p class="finding error" role="alert">${explorer.problem}
            <button type="button" class="quiet small" onClick=${() => explorer.dismiss()}
              aria-label="Dismiss">×</button></p>`
          }
          ${
            drawn &&
            drawn.layer.entries.length > 0 &&
            html`<${Wall} scene=${drawn} title=${explorer.nodes[drawn.node]?.name ?? ""}
              zoom=${choice.zoom}
            channel=${scene ? choice.channel : null} place=${choice.place} theme=${theme + system()}
            onPoint=${(/** @type {any} */ pointed) => pointer.over(pointed)}
            onPin=${pin}
            onLayout=${(/** @type {{layout: Layout}} */ view) => setLayout(view.layout)} />`
          }
          ${drawn && drawn.layer.entries.length === 0 && html`<p
            class="hint">This layer holds no values for this input.</p>`}
        </main>
        <${Panel} explorer=${explorer} scene=${scene} pointer=${pointer} />
        ${explaining && html`<${Explain} explorer=${explorer} scene=${scene} />`}
      </div>
      ${drawn && html`<${Readout} pointer=${pointer} scene=${drawn} exact=${manifest.can.exact}
        root=${root} />`}
      ${explorer.job && html`<${Job} ...${explorer.job} onCancel=${() => explorer.cancel()} />`}
      ${explorer.help && html`<${Help} film=${Boolean(manifest.record)}
        onClose=${() => explorer.showHelp(false)} />`}
      ${dropping && html`<div class="dropping">Let go to run this picture</div>`}`
    }
  </div>`;
}
