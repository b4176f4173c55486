// Files that a person takes away: what is seen as a picture, Python's picture, the array.

import { WallPainter } from "./wall_painter.js";

/** @import {Explorer} from "./explorer.js" */
/** @import {Layout} from "./layout.js" */
/** @import {Scene} from "./scene.js" */
/** @import {Theme} from "./wall_painter.js" */

const LONGEST = 16_384;

/**
 * The whole wall as a PNG: every tile, whether it can be seen at present or not.
 * @param {Scene} scene
 * @param {Layout} layout
 * @param {number} ratio
 * @param {Theme} theme
 * @returns {Promise<Blob>}
 */
export async function wallPicture(scene, layout, ratio, theme) {
  const width = Math.min(layout.width, layout.beside + layout.columns * layout.stepAcross);
  if (layout.height > LONGEST || width > LONGEST) {
    throw new Error(
      `A picture of the whole wall would be ${width} × ${layout.height} pixels, and browsers ` +
        `draw at most ${LONGEST} a side. Choose a smaller size, or the picture that view draws.`,
    );
  }
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = layout.height;
  new WallPainter(canvas).paint(scene, layout, 0, ratio, theme, null);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) =>
      blob ? resolve(blob) : reject(new Error("No picture could be made.")),
    ),
  );
}

/**
 * @param {Explorer} explorer
 * @param {string} kind  "seen", "picture", "channel" or "array"
 * @param {{scene: Scene, layout: Layout, ratio: number, theme: Theme}} view
 */
export async function save(explorer, kind, { scene, layout, ratio, theme }) {
  const { choice, store, nodes } = explorer;
  const epoch = explorer.run?.epoch === undefined ? "" : `_epoch${explorer.run.epoch}`;
  const base = nodes[choice.node].name.replace(/[^\w.-]+/g, "_") + epoch;
  const { minus } = explorer;
  if (kind === "array") {
    return hand(await store.exportArray(choice.run, choice.node, { minus }), `${base}.npy`);
  }
  if (kind === "seen") return hand(await wallPicture(scene, layout, ratio, theme), `${base}.png`);
  const only = kind === "channel" && choice.channel !== null;
  const query = {
    colormap: scene.colormap,
    scale: choice.scale,
    ...(minus ? { minus } : {}),
    ...(choice.clip && !choice.scale.startsWith("epochs") ? { clip: String(choice.clip) } : {}),
    ...(only ? { channels: String(choice.channel) } : {}),
  };
  const name = only ? `${base}_${choice.channel}.png` : `${base}.png`;
  return hand(await store.exportPicture(choice.run, choice.node, query), name);
}

/** @param {Blob} blob @param {string} name */
function hand(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
