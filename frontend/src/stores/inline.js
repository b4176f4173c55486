// Answers that lie in the page itself, deflated and in base64: a report opened from disk.

/** @import {Transport} from "./store.js" */

/**
 * @param {string} text
 * @returns {Uint8Array}
 */
function bytesOf(text) {
  const Bytes = /** @type {any} */ (Uint8Array);
  if (Bytes.fromBase64) return Bytes.fromBase64(text);
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

/** @param {string} text */
async function inflated(text) {
  const packed = new Blob([/** @type {BlobPart} */ (bytesOf(text))]);
  const plain = packed.stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(plain).arrayBuffer();
}

const CANNOT = "A report opened from disk has no network to run. Use `layerscope serve` for that.";

/**
 * @param {ParentNode} page  where the elements with ``data-layerscope`` are
 * @returns {Transport}
 */
export function inline(page) {
  return {
    kind: "inline",
    bytes: async (path) => {
      const held = page.querySelector(`[data-layerscope="${CSS.escape(path)}"]`);
      if (!held?.textContent) throw new Error("This report does not hold that.");
      return inflated(held.textContent);
    },
    events: async () => {},
    post: async () => {
      throw new Error(CANNOT);
    },
    remove: async () => {},
  };
}
