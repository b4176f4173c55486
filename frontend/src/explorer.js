// The explorer's state: what was chosen, what was fetched for it, and what is being waited for.

import { everyNode, read, USUAL, write } from "./address.js";
import { Answers } from "./answers.js";
import { Film } from "./film/film.js";
import { messageOf } from "./messages.js";

/** @import {Shown} from "./answers.js" */
/** @import {Choice, Manifest, Node, Progress, Run, Store} from "./types" */

/** @typedef {{label: string, progress: Progress, stop: AbortController}} Job */

const FETCHED = /** @type {const} */ (["node", "run", "other", "compare"]);

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
    this.answers = new Answers(store);
    this.film = new Film(this);
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
      await this.begin();
    } catch (problem) {
      this.status = "failed";
      this.message = messageOf(problem);
      this.tell();
    }
  }

  /** Show what the address says. */
  async begin() {
    if (!this.manifest) return;
    this.choice = read(this.address ? location.hash : "", this.manifest);
    this.tell();
    await this.load();
  }

  /** Follow an address that a person has typed or gone back to. */
  follow() {
    if (!this.manifest || !this.address) return;
    if (write(this.choice, this.manifest) === location.hash) return;
    this.film.playing = false;
    void this.begin();
  }

  /**
   * @param {Partial<Choice>} change
   * @param {{still?: boolean}} [options]  still: the address is written later, by another
   */
  choose(change, { still = false } = {}) {
    const before = this.choice;
    this.choice = { ...before, ...change };
    // A film goes through the epoch that it is compared with, too.
    if (this.choice.other === this.choice.run && !this.manifest?.record) this.choice.other = null;
    if (!this.choice.other) this.choice.explained = "run";
    if (!still) this.writeAddress(before.node !== this.choice.node);
    this.tell();
    if (FETCHED.some((name) => before[name] !== this.choice[name])) void this.load();
  }

  /** @param {boolean} [moved] whether going back is to lead to what was before */
  writeAddress(moved = false) {
    if (!this.manifest || !this.address) return;
    const hash = write(this.choice, this.manifest);
    if (hash !== location.hash) history[moved ? "pushState" : "replaceState"](null, "", hash);
  }

  /** @param {number} node */
  select(node) {
    if (node === this.choice.node || !this.nodes[node]) return;
    this.choose({ node, channel: null, place: null });
  }

  /** The run that is subtracted from what is shown, if one is. */
  get minus() {
    const { other, compare } = this.choice;
    return other && compare === "difference" ? other : undefined;
  }

  /** Fetch the layer that was chosen; what was shown stays until it is there. */
  async load() {
    const asked = ++this.asked;
    const { node, run } = this.choice;
    if (!this.nodes[node] || !run) return;
    const late = setTimeout(() => {
      this.busy = true;
      this.tell();
    }, 150);
    try {
      const shown = await this.answers.shown(this.choice);
      if (asked !== this.asked) return;
      this.shown = shown;
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
    const { node, run: from } = this.choice;
    // With several inputs a picture takes the place of the one that is shown, or of the first.
    const place = inputs > 1 ? { from, input: node < inputs ? node : 0 } : {};
    const target = { model: this.run?.model ?? 0, ...place };
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
    this.complain("");
  }

  /** @param {string} message */
  complain(message) {
    this.problem = message;
    this.tell();
  }
}
