// What is told beside the pointer: channel, place and value.

import { useEffect, useState } from "preact/hooks";

import { channelWord, number, placed } from "../format.js";
import { html } from "../html.js";
import { plane, valueOf } from "../layer.js";

/** @import {Pointer} from "../pointer.js" */
/** @import {Scene} from "../scene.js" */

/** @param {Pointer} pointer */
export function useRead(pointer) {
  const [read, setRead] = useState(pointer.read);
  useEffect(() => {
    const unsubscribe = pointer.subscribe(() => setRead(pointer.read));
    return () => void unsubscribe();
  }, [pointer]);
  return read;
}

/**
 * @param {object} props
 * @param {Pointer} props.pointer
 * @param {Scene} props.scene
 * @param {boolean} props.exact  whether Python can be asked
 * @param {{current: HTMLElement | null}} props.root
 */
export function Readout({ pointer, scene, exact, root }) {
  const read = useRead(pointer);
  const frame = root.current?.getBoundingClientRect();
  if (!read || !frame || read.channel >= scene.layer.channels) return null;
  const layer = scene.layers[read.which] ?? scene.layer;
  const { slice, row, column } = read.place;
  const entry = plane(layer, read.channel, slice)[row * layer.width + column];
  const value = exact ? read.value || "…" : `≈ ${number(valueOf(layer, read.channel, entry))}`;
  const right = read.x - frame.left > frame.width - 320;
  const style = {
    [right ? "right" : "left"]: `${right ? frame.right - read.x + 14 : read.x - frame.left + 14}px`,
    top: `${Math.min(read.y - frame.top + 16, frame.height - 34)}px`,
  };
  const place = placed(layer, read.place);
  return html`<p class="readout" style=${style}><span>${channelWord(layer)} ${read.channel}</span>
    ${place && html`<span class="soft">${place}</span>`}<b>${value}</b></p>`;
}
