// The pointer: which value it is over, and what Python says that value is.

/** @import {Explorer} from "./explorer.js" */
/** @import {Pointed} from "./views/wall.js" */

/** What is told of the value under the pointer. @typedef {Pointed & {value: string}} Read */

export class Pointer {
  /** @param {Explorer} explorer */
  constructor(explorer) {
    this.explorer = explorer;
    /** @type {Read | null} */
    this.read = null;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    this.asking = false;
    this.wanted = "";
    /** @type {Map<string, string>} */
    this.known = new Map();
  }

  /** @param {() => void} listener */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell() {
    for (const listener of this.listeners) listener();
  }

  /** @param {Pointed | null} pointed */
  over(pointed) {
    if (!pointed && !this.read) return;
    if (!pointed) {
      this.read = null;
      this.wanted = "";
      this.tell();
      return;
    }
    const key = this.key(pointed);
    this.read = { ...pointed, value: this.known.get(key) ?? "" };
    this.wanted = key;
    this.tell();
    if (!this.read.value) void this.ask(pointed);
  }

  /** What is shown has changed: the same place is read anew, where there is one. */
  refresh() {
    const layer = this.explorer.shown?.layers[0];
    if (!this.read || !layer) return;
    const { channel, place } = this.read;
    const inside =
      channel < layer.channels && place.slice < layer.slices &&
      place.row < layer.height && place.column < layer.width;
    this.over(inside ? this.read : null);
  }

  /** @param {Pointed} pointed */
  key({ channel, place, which }) {
    const { shown, choice } = this.explorer;
    return [shown?.key, choice.run, which, channel, place.slice, place.row, place.column].join("/");
  }

  /** One question at a time; the pointer's last place is asked for next. @param {Pointed} pointed */
  async ask(pointed) {
    if (this.asking) return;
    this.asking = true;
    const key = this.key(pointed);
    const { store, choice, minus, manifest } = this.explorer;
    const run = pointed.which && choice.other ? choice.other : choice.run;
    try {
      if (manifest?.can.exact) {
        const { value } = await store.value(run, choice.node, pointed.channel, pointed.place, {
          minus,
        });
        if (this.known.size > 5000) this.known.clear();
        this.known.set(key, value);
      }
    } catch {
      this.known.set(key, "not to be had");
    }
    this.asking = false;
    if (!this.read) return;
    if (this.wanted === key) {
      this.read = { ...this.read, value: this.known.get(key) ?? "" };
      this.tell();
    } else if (!this.known.has(this.wanted)) void this.ask(this.read);
  }
}
