// The pinned channel, large: exact pixels, and a cross where a value is pinned.

import { useRef } from "preact/hooks";

import { html } from "../html.js";
import { plane } from "../layer.js";
import { MapCanvas, sizeOf } from "./map.js";

/** @import {LayerData, Place} from "../types" */

const ROW = 24;

/**
 * @param {object} props
 * @param {LayerData} props.layer
 * @param {number} props.channel
 * @param {Place | null} props.place
 * @param {Uint32Array} props.table
 * @param {number} props.side
 * @param {string} props.label
 * @param {(place: Place | null, event: MouseEvent) => void} props.onPoint
 * @param {(place: Place) => void} props.onPin
 */
export function Large({ layer, channel, place, table, side, label, onPoint, onPin }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const pressed = useRef(/** @type {Place | null} */ (null));
  const slice = Math.min(place?.slice ?? 0, layer.slices - 1);
  const { height, width } = layer;
  const size = sizeOf(height, width, side);
  if (height === 1) size.height = Math.max(size.height, ROW);
  /** @param {MouseEvent} event @returns {Place | null} */
  const at = (event) => {
    const rect = box.current?.getBoundingClientRect();
    if (!rect) return null;
    const row = Math.floor(((event.clientY - rect.top) / rect.height) * height);
    const column = Math.floor(((event.clientX - rect.left) / rect.width) * width);
    const inside = row >= 0 && column >= 0 && row < height && column < width;
    return inside ? { slice, row, column } : null;
  };
  const mark = place && {
    left: `${(100 * place.column) / width}%`,
    top: `${(100 * place.row) / height}%`,
    width: `${Math.max(100 / width, 100 * (4 / size.width))}%`,
    height: `${Math.max(100 / height, 100 * (4 / size.height))}%`,
  };
  return html`<div class="large" ref=${box}
    style=${{ width: `${size.width}px`, height: `${size.height}px` }}
      onPointerMove=${(/** @type {PointerEvent} */ event) => onPoint(at(event), event)}
      onPointerLeave=${(/** @type {PointerEvent} */ event) => onPoint(null, event)}
      onPointerDown=${(/** @type {PointerEvent} */ event) => {
        pressed.current = at(event);
      }}
      onClick=${() => pressed.current && onPin(pressed.current)}>
    <${MapCanvas} entries=${plane(layer, channel, slice)} height=${height} width=${width}
      table=${table} side=${side} label=${label} tall=${size.height} />
    ${mark && html`<span class="pin" style=${mark}></span>`}
  </div>`;
}
