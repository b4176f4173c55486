// The explorer's state: what was chosen, what was fetched for it, and what is being waited for.

import { everyNode, read, USUAL, write } from "./address.js";
import { Cache } from "./cache.js";
import { figuresFrom, figuresOf, layerOf } from "./layer.js";

/** @import {Choice, Container, Figures, LayerData, Manifest, Node, Progress, Run, Store} from "./types" */

/**
 * What the wall shows: one layer's maps of one run, of two, or of their difference.
 * @typedef {object} Shown
 * @property {string} key
 * @property {number} node
 * @property {LayerData[]} layers
 * @property {Figures[]} figures
 * @property {boolean} difference
 */

/** @typedef {{label: string, progress: Progress, stop: AbortController}} Job */

const LAYER_ROOM = 256 * 2 ** 20;
const EXACT_ROOM = 64 * 2 ** 20;

export class Explorer {
  /**
   * @param {Store} store
   * @param {{address?: boolean}} [options]  address: whether the page's address follows
   */
  constructor(store, options = {}) {
    this.store = store;
    // A page within a page, as notebooks show reports, has no address to write to.
    this.address = (options.address ?? true) && location.protocol !== "about:";
    /** @type {"loading" | "ready" | "failed"} */
    this.status = "loading";
    /** @type {Progress} */
    this.progress = { phase: "opening", fraction: null };
    this.message = "";
    /** @type {Manifest | null} */
    this.manifest = null;
    /** @type {Node[]} */
    this.every = [];
    /** @type {Choice} */
    this.choice = { ...USUAL, node: 0, run: "" };
    /** @type {Shown | null} */
    this.shown = null;
    /** @type {string} */
    this.problem = "";
    this.busy = false;
    /** @type {Job | null} */
    this.job = null;
    this.help = false;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    /** @type {Cache<LayerData>} */
    this.layers = new Cache(LAYER_ROOM, (layer) => layer.bytes);
    /** @type {Cache<Container>} */
    this.parts = new Cache(EXACT_ROOM, bytesOf);
    /** @type {Cache<Container>} */
    this.figures = new Cache(EXACT_ROOM, bytesOf);
    this.asked = 0;
  }

  /** @param {() => void} listener */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell() {
    for (const listener of this.listeners) listener();
  }

  /** The nodes by their positions: inputs, then layers. @returns {Node[]} */
  get nodes() {
    if (this.manifest && !this.every.length) this.every = everyNode(this.manifest);
    return this.every;
  }

  /** @returns {Run | undefined} */
  get run() {
    return this.runOf(this.choice.run);
  }

  /** @returns {Run | undefined} */
  get other() {
    return this.runOf(this.choice.other);
  }

  /** @param {string | null} id @returns {Run | undefined} */
  runOf(id) {
    return this.manifest?.runs.find((run) => run.id === id);
  }

  async open() {
    try {
      this.manifest = await this.store.manifest((progress) => {
        this.progress = progress;
        this.tell();
      });
      this.status = "ready";
      this.choice = read(this.address ? location.hash : "", this.manifest);
      this.tell();
      await this.load();
    } catch (problem) {
      this.status = "failed";
      this.message = messageOf(problem);
      this.tell();
    }
  }

  /** Follow an address that a person has typed or gone back to. */
  follow() {
    if (!this.manifest || !this.address) return;
    if (write(this.choice, this.manifest) === location.hash) return;
    this.choice = read(location.hash, this.manifest);
    this.tell();
    void this.load();
  }

  /** @param {Partial<Choice>} change */
  choose(change) {
    const before = this.choice;
    this.choice = { ...before, ...change };
    if (this.choice.other === this.choice.run) this.choice.other = null;
    if (this.manifest && this.address) {
      const hash = write(this.choice, this.manifest);
      if (hash !== location.hash) {
        const moved = before.node !== this.choice.node;
        history[moved ? "pushState" : "replaceState"](null, "", hash);
      }
    }
    this.tell();
    const fetched = ["node", "run", "other", "compare"];
    if (
      fetched.some(
        (name) =>
          before[/** @type {keyof Choice} */ (name)] !==
          this.choice[/** @type {keyof Choice} */ (name)],
      )
    ) {
      void this.load();
    }
  }

  /** @param {number} node */
  select(node) {
    if (node === this.choice.node || !this.nodes[node]) return;
    this.choose({ node, channel: null, place: null });
  }

  /** @param {string} run */
  statistics(run) {
    return this.figures.get(`${run}/statistics`, () => this.store.statistics(run));
  }

  /** @param {string} run */
  thumbnails(run) {
    return this.figures.get(`${run}/thumbnails`, () => this.store.thumbnails(run));
  }

  /** @param {string} run */
  preview(run) {
    return this.figures.get(`${run}/preview`, () => this.store.preview(run));
  }

  /** One channel's exact values. @param {number} channel */
  exact(channel) {
    const { run, node } = this.choice;
    const minus = this.minus;
    return this.parts.get(`${run}/${node}/${channel}/${minus ?? ""}`, () =>
      this.store.exact(run, node, channel, { minus }),
    );
  }

  /** The run that is subtracted from what is shown, if one is. */
  get minus() {
    const { other, compare } = this.choice;
    return other && compare === "difference" ? other : undefined;
  }

  /** Fetch the layer that was chosen; what was shown stays until it is there. */
  async load() {
    const asked = ++this.asked;
    const { node, run, other, compare } = this.choice;
    if (!this.nodes[node] || !run) return;
    const late = setTimeout(() => {
      this.busy = true;
      this.tell();
    }, 150);
    try {
      const difference = other !== null && compare === "difference";
      const wanted = difference ? [[run, other]] : other ? [[run], [other]] : [[run]];
      const layers = await Promise.all(wanted.map(([one, minus]) => this.layer(one, node, minus)));
      const figures = await Promise.all(
        layers.map((layer, i) => this.figuresOf(layer, wanted[i][0], node, difference)),
      );
      if (asked !== this.asked) return;
      const key = layers.map((layer) => layer.key).join("|");
      this.shown = { key, node, layers, figures, difference };
      this.problem = "";
      this.keepWithin();
    } catch (problem) {
      if (asked !== this.asked) return;
      this.shown = null;
      const left = this.store.kind === "inline" ? (this.manifest?.left_out ?? "") : "";
      this.problem = `${messageOf(problem)} ${left}`.trim();
    } finally {
      clearTimeout(late);
      if (asked === this.asked) {
        this.busy = false;
        this.tell();
      }
    }
  }

  /** @param {string} run @param {number} node @param {string} [minus] */
  layer(run, node, minus) {
    const key = `${run}/${node}/${minus ?? ""}`;
    return this.layers.get(key, async () => {
      const layer = layerOf(key, await this.store.layer(run, node, { minus }));
      // A difference is drawn around 0, even where it has one sign only.
      return minus ? { ...layer, signed: true } : layer;
    });
  }

  /** @param {LayerData} layer @param {string} run @param {number} node @param {boolean} difference */
  async figuresOf(layer, run, node, difference) {
    if (difference) return figuresFrom(layer);
    const all = await this.statistics(run).catch(() => null);
    const known = all && figuresOf(all, node);
    return known && known.min.length >= layer.channels ? known : figuresFrom(layer);
  }

  /** Give up a channel or place, from an address, that the layer does not have. */
  keepWithin() {
    const layer = this.shown?.layers[0];
    const { channel, place } = this.choice;
    if (!layer || channel === null) return;
    const { slices, height, width } = layer;
    if (channel >= layer.channels) {
      this.choice = { ...this.choice, channel: null, place: null };
    } else if (place && (place.slice >= slices || place.row >= height || place.column >= width)) {
      this.choice = { ...this.choice, place: null };
    }
  }

  /** Run a picture that a person gave. @param {File} file */
  async add(file) {
    if (!this.manifest || this.job) return;
    const stop = new AbortController();
    const inputs = this.manifest.inputs.length;
    // With several inputs a picture takes the place of the one that is shown, or of the first.
    const target = {
      model: this.run?.model ?? 0,
      ...(inputs > 1 ? { from: this.choice.run, input: this.choice.node < inputs ? this.choice.node : 0 } : {}),
    };
    /** @param {Progress} progress */
    const onProgress = (progress) => {
      this.job = { label: file.name, progress, stop };
      this.tell();
    };
    try {
      const run = await this.store.run(file, file.name, target, onProgress, stop.signal);
      this.manifest = { ...this.manifest, runs: [...this.manifest.runs, run] };
      this.job = null;
      this.choose({ run: run.id, other: null, place: null });
    } catch (problem) {
      this.job = null;
      if (!stop.signal.aborted) this.problem = messageOf(problem);
      this.tell();
    }
  }

  cancel() {
    this.job?.stop.abort();
    this.job = null;
    this.tell();
  }

  /** @param {boolean} shown */
  showHelp(shown) {
    this.help = shown;
    this.tell();
  }

  dismiss() {
    this.problem = "";
    this.tell();
  }
}

/** @param {unknown} problem */
export const messageOf = (problem) =>
  problem instanceof Error ? problem.message : String(problem);

/** @param {Container} container */
const bytesOf = ({ sections }) =>
  Object.values(sections).reduce((sum, section) => sum + section.data.byteLength, 0);
