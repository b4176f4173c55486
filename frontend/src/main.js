// The explorer's front end: mounted on a page, in a report, or in a notebook's cell.

import { render } from "preact";

import { Explorer } from "./explorer.js";
import { html } from "./html.js";
import { comm } from "./stores/comm.js";
import { http } from "./stores/http.js";
import { inline } from "./stores/inline.js";
import { PathStore } from "./stores/store.js";
import { App } from "./views/app.js";

/** @import {Store} from "./types" */

/**
 * Show the explorer in an element.
 * @param {HTMLElement} element
 * @param {Store} store
 * @param {{home?: "page" | "report" | "notebook"}} [options]  a page and a report have their
 *   address and their keys to themselves
 * @returns {() => void} what takes it away again
 */
export function mount(element, store, { home = "page" } = {}) {
  const alone = home !== "notebook";
  const explorer = new Explorer(store, { address: alone });
  element.replaceChildren();
  render(html`<${App} explorer=${explorer} alone=${alone} />`, element);
  void explorer.open();
  const follow = () => explorer.follow();
  addEventListener("hashchange", follow);
  addEventListener("popstate", follow);
  return () => {
    removeEventListener("hashchange", follow);
    removeEventListener("popstate", follow);
    render(null, element);
  };
}

/** What anywidget calls for each view of a widget. */
export default {
  /** @param {{model: import("./stores/comm.js").Model, el: HTMLElement}} given */
  render({ model, el }) {
    const transport = comm(model);
    const height = Number(model.get("height"));
    if (height > 0) el.style.setProperty("--layerscope-height", `${height}px`);
    const away = mount(el, new PathStore(transport), { home: "notebook" });
    return () => {
      transport.close();
      away();
    };
  },
};

/** The store of a page that ``layerscope serve`` gives. @param {string | URL} base */
export const httpStore = (base) => new PathStore(http(new URL("api/", base).href));

/** The store of a report. @param {ParentNode} [page] */
export const inlineStore = (page = document) => new PathStore(inline(page));

const report =
  typeof document === "undefined" ? null : document.getElementById("layerscope-report");
if (report) mount(report, inlineStore(), { home: "report" });
