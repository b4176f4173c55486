// The film of a record: which epoch is shown, stepping, and playing one after the other.

import { nearest, runAt, stepped } from "./epochs.js";

/** @import {Explorer} from "../explorer.js" */
/** @import {RecordInfo} from "../types" */

export const SPEEDS = [1, 2, 4, 8, 12, 20];
const AHEAD = 8;
const AHEAD_BYTES = 64 * 2 ** 20;
const SETTLED = 250;

export class Film {
  /** @param {Explorer} explorer */
  constructor(explorer) {
    this.explorer = explorer;
    this.playing = false;
    this.loop = false;
    this.speed = 4;
    /** Epochs a second as they really pass, where that is less than was asked. */
    this.slower = 0;
    /** @type {{epoch: number, against: number | null} | null} */
    this.wanted = null;
    this.going = false;
    this.settling = 0;
    this.turn = 0;
  }

  /** @returns {RecordInfo | null} */
  get record() {
    return this.explorer.manifest?.record ?? null;
  }

  get epochs() {
    return this.record?.epochs ?? [];
  }

  /** The epoch that was chosen last, whether its maps are here already or not. */
  get epoch() {
    return this.wanted?.epoch ?? this.explorer.run?.epoch ?? 0;
  }

  /** The epoch that it is compared with. @returns {number | null} */
  get against() {
    return this.wanted ? this.wanted.against : (this.explorer.other?.epoch ?? null);
  }

  get picture() {
    return this.explorer.run?.picture ?? 0;
  }

  /** @param {number} epoch */
  go(epoch) {
    void this.want(nearest(this.epochs, epoch), this.against);
  }

  /** Compare with an epoch, or with none. @param {number | null} epoch */
  compare(epoch) {
    void this.want(this.epoch, epoch === null ? null : nearest(this.epochs, epoch));
  }

  /** @param {number} by  recorded epochs, forward or back */
  step(by) {
    this.pause();
    this.go(stepped(this.epochs, this.epoch, by));
  }

  /** The same epochs of another picture. @param {number} picture */
  show(picture) {
    const { manifest } = this.explorer;
    if (!manifest) return;
    const run = runAt(manifest, picture, this.epoch);
    const other = this.against === null ? null : runAt(manifest, picture, this.against);
    this.wanted = null;
    if (run) this.explorer.choose({ run: run.id, other: other?.id ?? null });
  }

  /**
   * Show what is wanted as soon as it is here. Of what is wanted meanwhile only the last is
   * fetched, so that a slider that is drawn along shows what it passes and asks for no more.
   * @param {number} epoch @param {number | null} against
   */
  async want(epoch, against) {
    this.wanted = { epoch, against };
    this.explorer.tell();
    if (this.going) return;
    this.going = true;
    while (this.wanted) {
      /** @type {{epoch: number, against: number | null}} */
      const wanted = this.wanted;
      const change = this.runsOf(wanted);
      if (change) {
        const choice = { ...this.explorer.choice, ...change };
        await this.explorer.answers.shown(choice).catch(() => {});
        this.explorer.choose(change, { still: true });
      }
      if (this.wanted === wanted) this.wanted = null;
    }
    this.going = false;
    this.explorer.tell();
    clearTimeout(this.settling);
    if (!this.playing) this.settling = setTimeout(() => this.explorer.writeAddress(), SETTLED);
  }

  /** @param {{epoch: number, against: number | null}} wanted */
  runsOf({ epoch, against }) {
    const { manifest } = this.explorer;
    const run = manifest && runAt(manifest, this.picture, epoch);
    if (!run) return null;
    const other = against === null ? null : runAt(manifest, this.picture, against);
    return { run: run.id, other: other?.id ?? null };
  }

  toggle() {
    if (this.playing) this.pause();
    else void this.play();
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.slower = 0;
    this.explorer.writeAddress();
    this.explorer.tell();
  }

  /** @param {Partial<{speed: number, loop: boolean}>} change */
  set(change) {
    Object.assign(this, change);
    this.slower = 0;
    this.explorer.tell();
  }

  /** From the epoch that is shown to the last, each in its turn; from the first after the last. */
  async play() {
    if (this.playing || this.epochs.length < 2) return;
    const turn = ++this.turn;
    const stopped = () => !this.playing || turn !== this.turn;
    this.playing = true;
    if (this.epoch === this.epochs.at(-1)) await this.want(this.epochs[0], this.against);
    let shown = performance.now();
    for (;;) {
      const next = this.following;
      if (next === null) break;
      this.fetchAhead();
      await this.ready(next);
      const due = shown + 1000 / this.speed;
      await until(due);
      if (stopped()) return;
      await this.want(next, this.against);
      await painted();
      const now = performance.now();
      this.slower = now - due > 250 / this.speed ? 1000 / (now - shown) : 0;
      // A late epoch is not made up for: each has its time.
      shown = now - due > 250 / this.speed ? now : due;
    }
    this.pause();
  }

  /** The epoch that comes next, or null at the end. */
  get following() {
    const { epochs, epoch } = this;
    const next = epochs[epochs.indexOf(epoch) + 1];
    return next ?? (this.loop ? epochs[0] : null);
  }

  /** Ask for the next epochs' maps, as far as there is room for them. */
  fetchAhead() {
    const { epochs, epoch } = this;
    const bytes = this.explorer.shown?.layers[0].bytes ?? 1;
    const count = Math.min(AHEAD, epochs.length - 1, Math.max(1, Math.floor(AHEAD_BYTES / bytes)));
    const at = epochs.indexOf(epoch);
    for (let i = 1; i <= count; i++) {
      const one = epochs[at + i] ?? (this.loop ? epochs[at + i - epochs.length] : undefined);
      if (one !== undefined) void this.ready(one);
    }
  }

  /** @param {number} epoch */
  async ready(epoch) {
    const change = this.runsOf({ epoch, against: this.against });
    if (!change) return;
    const { answers, choice } = this.explorer;
    answers.thumbnails(change.run).catch(() => {});
    const kernels = this.record?.kernels.includes(choice.node);
    await Promise.allSettled([
      answers.shown({ ...choice, ...change }),
      kernels ? answers.kernels(choice.node, epoch) : null,
    ]);
  }
}

/** @param {number} time */
const until = (time) =>
  new Promise((go) => setTimeout(go, Math.max(0, time - performance.now())));

/** When what was told has been drawn; a page in the background draws nothing. */
const painted = () =>
  new Promise((go) => {
    const late = setTimeout(go, 100);
    requestAnimationFrame(() => requestAnimationFrame(() => {
      clearTimeout(late);
      go(undefined);
    }));
  });
