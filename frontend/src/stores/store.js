// The store: what the page may ask for, in paths that every transport understands.

import { decode } from "../container.js";

/** @import {Field, Grown, Manifest, Place, Progress, Run, Store, Wanted} from "../types" */

/**
 * How answers are fetched. ``bytes`` rejects with an Error whose message is meant for a person.
 * @typedef {object} Transport
 * @property {Store["kind"]} kind
 * @property {(path: string, options?: {signal?: AbortSignal}) => Promise<ArrayBuffer | Uint8Array>} bytes
 * @property {(path: string, onEvent: (event: string, data: any) => void,
 *   signal?: AbortSignal) => Promise<void>} events
 * @property {(path: string, body: Blob, name: string, signal: AbortSignal) => Promise<any>} post
 * @property {(path: string) => Promise<void>} remove
 */

/** @param {Record<string, string | number | boolean | undefined>} fields */
function query(fields) {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text ? `?${text}` : "";
}

/** @param {Place | null} at */
const placed = (at) => (at ? { slice: at.slice, row: at.row, column: at.column } : {});

/** @implements {Store} */
export class PathStore {
  /** @param {Transport} transport */
  constructor(transport) {
    this.transport = transport;
    this.kind = transport.kind;
  }

  /**
   * @param {string} path
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  async json(path, signal) {
    const bytes = await this.transport.bytes(path, { signal });
    return JSON.parse(new TextDecoder().decode(bytes));
  }

  /**
   * @param {string} path
   * @param {AbortSignal} [signal]
   */
  async container(path, signal) {
    return decode(await this.transport.bytes(path, { signal }));
  }

  /**
   * @param {(progress: Progress) => void} onProgress
   * @returns {Promise<Manifest>}
   */
  async manifest(onProgress) {
    await this.follow("progress", onProgress);
    return this.json("manifest");
  }

  /**
   * Wait for the end of something slow.
   * @param {string} path
   * @param {(progress: Progress) => void} onProgress
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  async follow(path, onProgress, signal) {
    /** @type {any} */
    let ended = null;
    /** @type {string | null} */
    let failed = null;
    await this.transport.events(
      path,
      (event, data) => {
        if (event === "progress") onProgress(data);
        if (event === "ready") ended = data;
        if (event === "failed") failed = data.message;
      },
      signal,
    );
    if (failed !== null) throw new Error(failed);
    return ended;
  }

  /** @param {string} run @param {number} [input] */
  preview = (run, input) =>
    this.container(`runs/${run}/preview${query({ input })}`);

  /** @param {string} run */
  statistics = (run) => this.container(`runs/${run}/statistics`);

  /** @param {string} run */
  thumbnails = (run) => this.container(`runs/${run}/thumbnails`);

  /** @param {string} run @param {number} node @param {Wanted} [options] */
  layer = (run, node, { minus, signal } = {}) =>
    this.container(`runs/${run}/layers/${node}${query({ minus })}`, signal);

  /** @param {string} run @param {number} node @param {number} channel @param {Wanted} [options] */
  exact = (run, node, channel, { minus, signal } = {}) =>
    this.container(`runs/${run}/layers/${node}/channels/${channel}${query({ minus })}`, signal);

  /**
   * @param {string} run @param {number} node @param {number} channel
   * @param {Place} at @param {Wanted} [options]
   * @returns {Promise<{value: string}>}
   */
  value = (run, node, channel, at, { minus, signal } = {}) =>
    this.json(
      `runs/${run}/layers/${node}/channels/${channel}/value${query({ ...placed(at), minus })}`,
      signal,
    );

  /**
   * @param {string} run @param {number} node @param {number} channel
   * @param {Place | null} at @param {Wanted} [options]
   */
  explain = (run, node, channel, at, { all, signal } = {}) =>
    this.container(
      `runs/${run}/layers/${node}/channels/${channel}/explain` +
        query({ ...placed(at), all: all ? 1 : undefined }),
      signal,
    );

  /**
   * @param {string} run @param {number} node @param {number} channel
   * @param {Place} at @param {Wanted} [options]
   * @returns {Promise<Field[]>}
   */
  field = (run, node, channel, at, { signal } = {}) =>
    this.json(`runs/${run}/layers/${node}/channels/${channel}/field${query(placed(at))}`, signal);

  /** @param {number} node @param {number} epoch */
  kernels = (node, epoch) => this.container(`kernels/${node}/${epoch}`);

  /** @returns {Promise<Grown>} */
  record = () => this.json("record");

  /**
   * @param {Blob} file
   * @param {string} name
   * @param {{model: number, from?: string, input?: number}} target  from: a run whose other
   *   inputs are kept; input: which one the file replaces
   * @param {(progress: Progress) => void} onProgress
   * @param {AbortSignal} signal
   * @returns {Promise<Run>}
   */
  async run(file, name, target, onProgress, signal) {
    onProgress({ phase: "sending the picture", fraction: null });
    const { run } = await this.transport.post(`runs${query(target)}`, file, name, signal);
    const stop = () => void this.remove(run).catch(() => {});
    signal.addEventListener("abort", stop);
    try {
      const ended = await this.follow(`runs/${run}/progress`, onProgress, signal);
      return ended.run;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** @param {string} run */
  remove = (run) => this.transport.remove(`runs/${run}`);

  /** @param {string} run @param {number} node @param {Record<string, string>} options */
  exportPicture = async (run, node, options) =>
    blob(await this.transport.bytes(`runs/${run}/layers/${node}/picture.png${query(options)}`));

  /** @param {string} run @param {number} node @param {Wanted} [options] */
  exportArray = async (run, node, { minus } = {}) =>
    blob(await this.transport.bytes(`runs/${run}/layers/${node}/array.npy${query({ minus })}`));
}

/** @param {ArrayBuffer | Uint8Array} bytes */
const blob = (bytes) => new Blob([/** @type {BlobPart} */ (bytes)]);
