// Painting: palette entries onto an array of pixels, each value one rectangle of one colour.

/**
 * A target of pixels.
 * @typedef {{pixels: Uint32Array, width: number, height: number}} Canvas32
 */

/**
 * Paint a map, ``across`` × ``down`` pixels for each value, clipped to the target.
 * @param {Canvas32} target
 * @param {number} x
 * @param {number} y  may lie above the target
 * @param {Uint8Array} entries  rows × columns
 * @param {number} rows
 * @param {number} columns
 * @param {number} across  a whole number
 * @param {number} down  a whole number
 * @param {Uint32Array} table
 */
export function paintMap(target, x, y, entries, rows, columns, across, down, table) {
  const { pixels, width, height } = target;
  const seen = Math.min(columns, Math.ceil((width - x) / across));
  for (let row = Math.max(0, Math.floor(-y / down)); row < rows; row++) {
    const top = y + row * down;
    const from = Math.max(0, top);
    const to = Math.min(height, top + down);
    if (from >= height) return;
    const start = from * width + x;
    const source = row * columns;
    if (across === 1) {
      for (let i = 0; i < seen; i++) pixels[start + i] = table[entries[source + i]];
    } else {
      let at = start;
      const end = Math.min(start + columns * across, (from + 1) * width);
      for (let i = 0; i < seen; i++) {
        const colour = table[entries[source + i]];
        const stop = Math.min(at + across, end);
        while (at < stop) pixels[at++] = colour;
      }
    }
    const painted = Math.min(columns * across, width - x);
    for (let line = from + 1; line < to; line++) {
      pixels.copyWithin(line * width + x, start, start + painted);
    }
  }
}

/**
 * A map made smaller by a whole factor: each pixel the mean colour of factor × factor values.
 * @param {Uint8Array} entries
 * @param {number} rows
 * @param {number} columns
 * @param {number} factor
 * @param {Uint32Array} table
 * @returns {Canvas32}
 */
export function shrink(entries, rows, columns, factor, table) {
  const width = Math.max(1, Math.floor(columns / factor));
  const height = Math.max(1, Math.floor(rows / factor));
  const pixels = new Uint32Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let red = 0;
      let green = 0;
      let blue = 0;
      let count = 0;
      const right = Math.min(columns, (x + 1) * factor);
      const bottom = Math.min(rows, (y + 1) * factor);
      for (let row = y * factor; row < bottom; row++) {
        for (let column = x * factor; column < right; column++) {
          const colour = table[entries[row * columns + column]];
          red += colour & 255;
          green += (colour >> 8) & 255;
          blue += (colour >> 16) & 255;
          count++;
        }
      }
      const mean = [red, green, blue].map((sum) => Math.round(sum / count));
      pixels[y * width + x] = ((255 << 24) | (mean[2] << 16) | (mean[1] << 8) | mean[0]) >>> 0;
    }
  }
  return { pixels, width, height };
}

/**
 * Copy pixels onto a target, clipped to it.
 * @param {Canvas32} target
 * @param {number} x
 * @param {number} y
 * @param {Canvas32} source
 */
export function copy(target, x, y, source) {
  const seen = Math.min(source.width, target.width - x);
  if (seen <= 0) return;
  for (let row = Math.max(0, -y); row < source.height && y + row < target.height; row++) {
    const from = row * source.width;
    target.pixels.set(source.pixels.subarray(from, from + seen), (y + row) * target.width + x);
  }
}
