// Axes of small charts: round numbers within a range, and lines with gaps.

/** @typedef {(number | null)[]} Values */

/**
 * Two to four round numbers that lie within a range.
 * @param {number} low @param {number} high
 * @returns {number[]}
 */
export function rounds(low, high) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(span / 2));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => span / n < 3.5) ?? span;
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * span; i++) {
    found.push(Number((i * step).toPrecision(12)));
  }
  return found;
}

/** The least and the largest finite value of lines. @param {Values[]} lines */
export function reachOf(lines) {
  let low = Infinity;
  let high = -Infinity;
  for (const line of lines) {
    for (const value of line) {
      if (value === null || !Number.isFinite(value)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return low <= high ? { low, high } : null;
}

/**
 * A line as an SVG path; broken where a value is missing, a point where it stands alone.
 * @param {number[]} xs @param {Values} values
 * @param {(x: number) => number} across @param {(value: number) => number} down
 */
export function pathOf(xs, values, across, down) {
  let path = "";
  let drawing = false;
  values.forEach((value, i) => {
    if (value === null || !Number.isFinite(value)) {
      drawing = false;
      return;
    }
    const point = `${across(xs[i]).toFixed(2)} ${down(value).toFixed(2)}`;
    path += drawing ? `L${point}` : `M${point}h.01`;
    drawing = true;
  });
  return path;
}
