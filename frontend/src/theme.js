// The theme: dark or light as the system says, unless a person chooses.

/** @import {Theme} from "./wall_painter.js" */

const NAMES = ["ground", "text", "soft", "line", "mark", "outline"];
const KEY = "layerscope-theme";

/**
 * The theme's colours where an element is.
 * @param {Element} element
 * @returns {Theme}
 */
export function themeOf(element) {
  const style = getComputedStyle(element);
  const colours = NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]);
  return { ...Object.fromEntries(colours), font: style.fontFamily };
}

/** The theme that a person chose before: "dark", "light", or "auto". */
export function remembered() {
  try {
    const held = localStorage.getItem(KEY);
    return held === "dark" || held === "light" ? held : "auto";
  } catch {
    return "auto";
  }
}

/** @param {string} theme */
export function remember(theme) {
  try {
    if (theme === "auto") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Pages from disk may have no storage; the choice then lasts as long as the page.
  }
}

const LIGHT = "(prefers-color-scheme: light)";

/** What "auto" is at present. */
export const system = () => (matchMedia(LIGHT).matches ? "light" : "dark");

/** @param {() => void} listener called when the system's theme changes; returns its undoing */
export function onSystemChange(listener) {
  const query = matchMedia(LIGHT);
  query.addEventListener("change", listener);
  return () => query.removeEventListener("change", listener);
}
