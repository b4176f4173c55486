// Answers as messages between a notebook's page and its kernel.

/** @import {Transport} from "./store.js" */

/**
 * What anywidget gives a widget's front end.
 * @typedef {object} Model
 * @property {(content: any, callbacks?: any, buffers?: ArrayBuffer[]) => void} send
 * @property {(event: string, handler: (message: any, buffers: DataView[]) => void) => void} on
 * @property {(event: string, handler: (message: any, buffers: DataView[]) => void) => void} off
 * @property {(name: string) => any} get
 */

/** @param {DataView | undefined} view */
const bytesOf = (view) =>
  view ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice() : new Uint8Array();

/** @param {Uint8Array} bytes */
const json = (bytes) => JSON.parse(new TextDecoder().decode(bytes));

/**
 * @param {Model} model
 * @returns {Transport & {close(): void}}
 */
export function comm(model) {
  // Several views of one widget share its messages, so each begins its numbers elsewhere.
  const own = crypto.getRandomValues(new Uint32Array(1))[0];
  let asked = 0;
  /** @type {Map<string, (message: any, bytes: Uint8Array) => void>} */
  const waiting = new Map();
  /** @param {any} message @param {DataView[]} buffers */
  const take = (message, buffers) => waiting.get(message.id)?.(message, bytesOf(buffers?.[0]));
  model.on("msg:custom", take);

  /**
   * @param {string} method @param {string} path
   * @param {{signal?: AbortSignal, onEvent?: (event: string, data: any) => void,
   *   headers?: Record<string, string>, body?: ArrayBuffer}} options
   * @returns {Promise<Uint8Array>}
   */
  const ask = (method, path, { signal, onEvent, headers, body }) =>
    new Promise((resolve, reject) => {
      const id = `${own}-${++asked}`;
      const stop = () => {
        waiting.delete(id);
        model.send({ id, cancel: true });
        reject(new DOMException("Cancelled.", "AbortError"));
      };
      waiting.set(id, (message, bytes) => {
        if (message.event) {
          onEvent?.(message.event, message.data);
          if (message.event === "progress") return;
        }
        waiting.delete(id);
        signal?.removeEventListener("abort", stop);
        if (message.status >= 400) reject(new Error(json(bytes).message));
        else resolve(bytes);
      });
      signal?.addEventListener("abort", stop);
      model.send({ id, method, path, headers }, undefined, body ? [body] : []);
    });

  return {
    kind: "comm",
    bytes: (path, { signal } = {}) => ask("GET", path, { signal }),
    events: async (path, onEvent, signal) => void (await ask("GET", path, { onEvent, signal })),
    post: async (path, file, name, signal) => {
      const headers = { "X-Filename": encodeURIComponent(name) };
      return json(await ask("POST", path, { headers, body: await file.arrayBuffer(), signal }));
    },
    remove: async (path) => void (await ask("DELETE", path, {})),
    close: () => model.off("msg:custom", take),
  };
}
