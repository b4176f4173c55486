// The binary container that arrays travel in: a JSON header, then arrays one after the other.

/** @import {Container, Section} from "./types" */

const MAGIC = "LSC1";
const HEAD = 8;
const ARRAYS = { u1: Uint8Array, i4: Int32Array, f4: Float32Array, f8: Float64Array };

/**
 * Read a container. The arrays are views of the given bytes where these are aligned.
 * @param {ArrayBuffer | Uint8Array} given
 * @returns {Container}
 */
export function decode(given) {
  const bytes = given instanceof Uint8Array ? given : new Uint8Array(given);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = String.fromCharCode(...bytes.subarray(0, 4));
  if (bytes.length < HEAD || magic !== MAGIC) throw new Error("This is not data of layerscope.");
  const length = view.getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(HEAD, HEAD + length)));
  /** @type {Record<string, Section>} */
  const sections = {};
  for (const { name, dtype, shape, offset } of header.sections) {
    const Kind = ARRAYS[/** @type {Section["dtype"]} */ (dtype)];
    const count = shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
    const start = bytes.byteOffset + HEAD + length + offset;
    const stop = start + count * Kind.BYTES_PER_ELEMENT;
    const data =
      start % Kind.BYTES_PER_ELEMENT === 0
        ? new Kind(/** @type {ArrayBuffer} */ (bytes.buffer), start, count)
        : new Kind(/** @type {ArrayBuffer} */ (bytes.buffer).slice(start, stop));
    sections[name] = { dtype, shape, data };
  }
  return { header, sections };
}
