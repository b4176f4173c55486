// The wall: every map of a layer on one canvas that stays in place while a person scrolls.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import { channelWord, number } from "../format.js";
import { html } from "../html.js";
import { hit, layOut, placeOf } from "../layout.js";
import { themeOf } from "../theme.js";
import { tileOf, WallPainter } from "../wall_painter.js";

/** @import {Place} from "../types" */
/** @import {Scene} from "../scene.js" */
/** @import {Layout} from "../layout.js" */

/** @typedef {{channel: number, place: Place, which: number, x: number, y: number}} Pointed */

/**
 * @param {object} props
 * @param {Scene} props.scene
 * @param {string} props.title
 * @param {number} props.zoom
 * @param {number | null} props.channel
 * @param {Place | null} props.place
 * @param {string} props.theme
 * @param {(pointed: Pointed | null) => void} props.onPoint
 * @param {(channel: number, place: Place | null) => void} props.onPin
 * @param {(view: {layout: Layout, painter: WallPainter | null}) => void} props.onLayout
 */
export function Wall({ scene, title, zoom, channel, place, theme, onPoint, onPin, onLayout }) {
  const frame = useRef(/** @type {HTMLDivElement | null} */ (null));
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const painter = useRef(/** @type {WallPainter | null} */ (null));
  const size = useSize(frame);
  const ratio = size.ratio;
  const layout = useMemo(
    () =>
      layOut(scene.layer, scene.groups, {
        width: Math.max(40, Math.floor(size.width * ratio)),
        ratio,
        zoom: zoom * ratio,
        pair: scene.layers.length,
        bars: scene.bars,
      }),
    [scene.layer.key, scene.groups, scene.layers.length, scene.bars, size.width, ratio, zoom],
  );

  const paint = useRef(() => {});
  paint.current = () => {
    const box = frame.current;
    if (!box || !canvas.current || !size.width) return;
    painter.current ??= new WallPainter(canvas.current);
    const pinned =
      channel === null
        ? null
        : { channel, slice: place?.slice ?? 0, row: place?.row, column: place?.column };
    const top = Math.round(box.scrollTop * ratio);
    painter.current.paint(scene, layout, top, ratio, themeOf(box), pinned);
    const first = placeOf(layout, 0);
    Object.assign(box.dataset, {
      painted: scene.key,
      zoom: layout.zoom,
      tall: layout.tall,
      columns: layout.columns,
      first: `${first.x},${first.y}`,
      step: `${layout.stepAcross},${layout.stepDown}`,
    });
  };

  useLayoutEffect(() => {
    const own = canvas.current;
    if (!own || !size.width) return;
    const [width, height] = [Math.floor(size.width * ratio), Math.floor(size.height * ratio)];
    if (own.width !== width || own.height !== height) [own.width, own.height] = [width, height];
    own.style.width = `${width / ratio}px`;
    own.style.height = `${height / ratio}px`;
    onLayout({ layout, painter: painter.current });
    paint.current();
  }, [scene, layout, channel, place, size, theme]);

  useEffect(() => {
    if (frame.current) frame.current.scrollTop = 0;
    onPoint(null);
  }, [scene.node]);

  useEffect(() => {
    const box = frame.current;
    const tile = channel === null ? -1 : tileOf(layout, channel, place?.slice ?? 0);
    if (!box || tile < 0) return;
    const top = (placeOf(layout, tile).y - layout.above) / ratio;
    const bottom = top + layout.stepDown / ratio;
    if (top < box.scrollTop) box.scrollTop = Math.max(0, top - 8);
    else if (bottom > box.scrollTop + size.height) box.scrollTop = bottom - size.height + 8;
  }, [channel, place?.slice, layout]);

  // Where the pointer went down: clicks themselves tell whole pixels only.
  const pressed = useRef(/** @type {Pointed | null} */ (null));
  const pending = useRef(0);
  const scrolled = () => {
    cancelAnimationFrame(pending.current);
    pending.current = requestAnimationFrame(() => paint.current());
  };

  /** @param {MouseEvent} event @returns {Pointed | null} */
  const pointed = (event) => {
    const box = canvas.current?.getBoundingClientRect();
    if (!box || !frame.current) return null;
    const x = (event.clientX - box.left) * ratio;
    const y = (event.clientY - box.top + frame.current.scrollTop) * ratio;
    const found = hit(layout, x, y);
    if (!found) return null;
    const at = { slice: layout.sliceOf[found.tile], row: found.row, column: found.column };
    const channel = layout.channelOf[found.tile];
    return { channel, place: at, which: found.which, x: event.clientX, y: event.clientY };
  };

  const word = channelWord(scene.layer);
  const said =
    channel === null
      ? ""
      : `${word} ${channel}: smallest ${number(scene.figures[0].min[channel])}, largest ` +
        `${number(scene.figures[0].max[channel])}, mean ${number(scene.figures[0].mean[channel])}`;
  return html`<div class="wall-frame" ref=${frame} tabindex="0" role="application"
      aria-roledescription="wall of feature maps" data-keys="wall"
      aria-label="Maps of ${title}: ${scene.layer.sizes}. Arrow keys go from one to the next."
      onScroll=${scrolled}
      onPointerMove=${(/** @type {PointerEvent} */ event) => onPoint(pointed(event))}
      onPointerLeave=${() => onPoint(null)}
      onPointerDown=${(/** @type {PointerEvent} */ event) => {
        pressed.current = pointed(event);
      }}
      onClick=${() => {
        if (pressed.current) onPin(pressed.current.channel, pressed.current.place);
      }}>
    <canvas class="wall" ref=${canvas} aria-hidden="true"></canvas>
    <div class="spacer"
      style=${{ height: `${Math.max(0, layout.height / ratio - size.height)}px` }}></div>
    <p class="said" aria-live="polite">${said}</p>
  </div>`;
}

/**
 * The size of an element's content, in CSS pixels, and the screen's pixels for each.
 * @param {{current: HTMLElement | null}} element
 */
function useSize(element) {
  const [size, setSize] = useState({ width: 0, height: 0, ratio: devicePixelRatio || 1 });
  useLayoutEffect(() => {
    const own = element.current;
    if (!own) return undefined;
    const measure = () => {
      const next = {
        width: own.clientWidth,
        height: own.clientHeight,
        ratio: devicePixelRatio || 1,
      };
      setSize((now) =>
        now.width === next.width && now.height === next.height && now.ratio === next.ratio
          ? now
          : next,
      );
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(own);
    return () => observer.disconnect();
  }, []);
  return size;
}
