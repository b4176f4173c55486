// The epochs of a training record: every picture at every epoch is a run of its own.

/** @import {Manifest, RecordInfo, Run} from "../types" */

/**
 * The run of a picture at an epoch.
 * @param {Manifest} manifest @param {number} picture @param {number} epoch
 * @returns {Run | undefined}
 */
export const runAt = ({ runs }, picture, epoch) =>
  runs.find((run) => run.picture === picture && run.epoch === epoch);

/**
 * The recorded epoch that is nearest to a number; of two that are as near the later one.
 * @param {number[]} epochs  ascending
 * @param {number} wanted
 */
export function nearest(epochs, wanted) {
  let best = epochs[0];
  for (const epoch of epochs) if (Math.abs(epoch - wanted) <= Math.abs(best - wanted)) best = epoch;
  return best;
}

/**
 * The recorded epoch some places further, within what there is.
 * @param {number[]} epochs @param {number} epoch @param {number} by
 */
export function stepped(epochs, epoch, by) {
  const at = epochs.indexOf(nearest(epochs, epoch)) + by;
  return epochs[Math.min(epochs.length - 1, Math.max(0, at))];
}

/** The last epoch that there is, recorded or not. @param {RecordInfo} record */
export const lastOf = ({ epochs, history }) =>
  Math.max(epochs.at(-1) ?? 0, history.epoch?.at(-1) ?? 0);

/**
 * How many epochs there are; while the training runs how many there shall be.
 * @param {RecordInfo} record
 */
export const countOf = (record) =>
  Math.max(lastOf(record), (record.growing && record.planned) || 0);

/** The recorded epoch that is nearest to the one that was kept. @param {RecordInfo} record */
export const bestOf = ({ best, epochs }) => (best === null ? null : nearest(epochs, best));

/**
 * An epoch in words, with what is particular about it.
 * @param {RecordInfo} record @param {number} epoch
 */
export function epochWords(record, epoch) {
  const said = [
    epoch === 0 && "before training",
    epoch === record.best && "best",
    epoch === record.epochs.at(-1) && epoch > 0 && (record.growing ? "newest" : "last"),
  ].filter(Boolean);
  return `epoch ${epoch}${said.length ? ` · ${said.join(", ")}` : ""}`;
}

/**
 * The figures of an epoch, by their column; null where there is none.
 * @param {RecordInfo} record @param {number} epoch
 * @returns {Record<string, number | null>}
 */
export function figuresAt({ history }, epoch) {
  const row = history.epoch?.indexOf(epoch) ?? -1;
  return Object.fromEntries(
    Object.entries(history).map(([name, values]) => [name, values[row] ?? null]),
  );
}

/**
 * The pictures as the address names them: by number where two have one label.
 * @param {RecordInfo} record @param {number} picture
 */
export function pictureName({ pictures }, picture) {
  const label = pictures[picture];
  return pictures.indexOf(label) === pictures.lastIndexOf(label) ? label : String(picture);
}
