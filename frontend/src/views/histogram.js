// How often each value occurs in a channel.

import { number } from "../format.js";
import { html } from "../html.js";

const BINS = 48;
const TALL = 56;

/** @param {{values: ArrayLike<number>, exact: boolean}} props */
export function Histogram({ values, exact }) {
  let low = Infinity;
  let high = -Infinity;
  let finite = 0;
  let zeros = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!Number.isFinite(value)) continue;
    finite++;
    if (value === 0) zeros++;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (!finite) return html`<p class="soft">no finite value</p>`;
  if (low === high) return html`<p class="soft">one value only: ${number(low)}</p>`;
  // Zeros would dwarf everything else after a relu: they have a bar of their own.
  const apart = zeros > 0.2 * finite;
  const bins = new Float64Array(BINS);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!Number.isFinite(value) || (apart && value === 0)) continue;
    bins[Math.min(BINS - 1, Math.floor(((value - low) / (high - low)) * BINS))]++;
  }
  const most = Math.max(...bins, 1);
  const bars = [...bins].map((count, i) => {
    const tall = count ? Math.max(1, (count / most) * TALL) : 0;
    return html`<rect x=${i} width="0.9" y=${TALL - tall} height=${tall} />`;
  });
  const said = `Histogram of ${values.length} values from ${number(low)} to ${number(high)}`;
  const notes = [
    apart && `${zeros.toLocaleString("en")} zeros not drawn`,
    !exact && "241 levels",
  ];
  return html`<figure class="histogram">
    <svg viewBox=${`0 0 ${BINS} ${TALL}`} preserveAspectRatio="none" role="img"
      aria-label=${said}>${bars}</svg>
    <figcaption><span>${number(low)}</span>
      <span>${notes.filter(Boolean).join(" · ")}</span>
      <span>${number(high)}</span></figcaption>
  </figure>`;
}
