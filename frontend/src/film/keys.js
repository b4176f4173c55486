// The keys of a record's film.

import { bestOf, stepped } from "./epochs.js";

/** @import {Film} from "./film.js" */

/** What the help lists of a record. @type {[string[], string][]} */
export const FILM_KEYS = [
  [["Space"], "play the epochs, or stop"],
  [[",", "."], "the epoch before, after"],
  [["b"], "the best epoch"],
  [["a"], "compare with the first epoch, or no more"],
  [["<", ">"], "compare with the epoch before, after"],
];

/**
 * Do what a key says to a film.
 * @param {string} key
 * @param {Film} film
 * @returns {boolean} whether it says anything
 */
export function filmKey(key, film) {
  const { record, epochs, epoch, against } = film;
  if (!record) return false;
  switch (key) {
    case " ":
      film.toggle();
      return true;
    case ",":
      film.step(-1);
      return true;
    case ".":
      film.step(1);
      return true;
    case "b":
      film.pause();
      film.go(bestOf(record) ?? epoch);
      return true;
    case "a":
      film.compare(against === null ? epochs[0] : null);
      return true;
    case "<":
    case ">":
      film.compare(stepped(epochs, against ?? epoch, key === "<" ? -1 : 1));
      return true;
    default:
      return false;
  }
}
