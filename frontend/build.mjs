// Bundle the front end: one ES module, one style sheet, and the licences of what is in them.
// node build.mjs [FOLDER]; the folder is the package's own unless given.

import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { build } from "esbuild";

const own = new URL("../src/layerscope/faces/explorer/static/", import.meta.url);
const target = process.argv[2] ? pathToFileURL(`${resolve(process.argv[2])}/`) : own;
const bundled = ["preact", "htm"];

const notices = await Promise.all(
  bundled.map(async (name) => {
    const { version } = JSON.parse(await readFile(`node_modules/${name}/package.json`, "utf8"));
    const licence = await readFile(`node_modules/${name}/LICENSE`, "utf8");
    return `${name} ${version}\n${"=".repeat(40)}\n${licence.trim()}\n`;
  }),
);
const beginning = "explorer.js contains these packages, under the licences given here.\n\n";
await writeFile(new URL("NOTICE", target), beginning + notices.join("\n\n"));

const versions = notices.map((notice) => notice.split("\n", 1)[0]).join(", ");
await build({
  entryPoints: { explorer: "src/main.js" },
  outdir: target.pathname,
  bundle: true,
  format: "esm",
  target: ["chrome111", "firefox115", "safari16.4"],
  minify: true,
  legalComments: "none",
  charset: "utf8",
  banner: { js: `// Built by frontend/build.mjs; contains ${versions}: see NOTICE.` },
});
await build({
  entryPoints: { explorer: "src/style.css" },
  outdir: target.pathname,
  bundle: true,
  target: ["chrome111", "firefox115", "safari16.4"],
  minify: true,
});
