// A record that still grows: asked for what is new, for as long as the training runs.

import { messageOf } from "../messages.js";

/** @import {Explorer} from "../explorer.js" */

const EVERY = 5000;
const PATIENCE = 3;

/**
 * Ask for what is new until the training has ended; whoever looks at the newest epoch goes along.
 * @param {Explorer} explorer
 * @returns {() => void} what ends it
 */
export function grow(explorer) {
  let timer = 0;
  let failures = 0;
  let over = false;
  const ask = async () => {
    try {
      const found = await explorer.store.record();
      if (over) return;
      failures = 0;
      take(explorer, found);
    } catch (problem) {
      if (over) return;
      if (++failures === PATIENCE) explorer.complain(messageOf(problem));
    }
    again();
  };
  const again = () => {
    const growing = explorer.manifest?.record?.growing && explorer.store.kind !== "inline";
    if (growing && failures < PATIENCE) timer = setTimeout(() => void ask(), EVERY);
  };
  again();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

/**
 * @param {Explorer} explorer
 * @param {import("../types").Grown} found
 */
function take(explorer, { record, runs }) {
  const { manifest, film } = explorer;
  if (!manifest?.record) return;
  const newest = film.epoch === manifest.record.epochs.at(-1) && !film.playing;
  explorer.manifest = { ...manifest, record, runs };
  const last = record.epochs.at(-1);
  if (!explorer.run) return void explorer.begin();
  explorer.tell();
  if (newest && last !== undefined && last !== film.epoch) film.go(last);
  // A record that has grown large keeps every other epoch only.
  else if (!record.epochs.includes(film.epoch)) film.go(film.epoch);
  if (film.against !== null && !record.epochs.includes(film.against)) film.compare(film.against);
}
