/** One painting from several scales, as the core's stylization/scales.py makes it. */

const OCTAVES = 2; // most octaves between two scales
const NEAR = 1.3; // how many times the coarse painting's side a picture needs for finer marks
const SMOOTH = 0.75; // deviations of Gaussians, in pixels of the smaller painting: this for what
const COARSE = 1; // is enlarged, this for what is taken from the larger one

/** Returns the long sides to paint at: `side`, and those up to `largest`. */
export function sides(side, largest) {
  const growth = largest / side;
  const steps = growth < NEAR ? 0 : Math.ceil(Math.log2(growth) / OCTAVES - 0.01);
  return Array.from({ length: steps + 1 }, (_, step) => side * growth ** (steps && step / steps));
}

/**
 * Writes to the pixels of the larger painting what is coarse in the smaller one, and leaves `crisp`
 * of what is fine. `reduced` is the larger painting at the smaller one's size. `enlarged` makes
 * ImageData of that size as large as `fine`.
 */
export function refined(coarse, fine, reduced, enlarged, crisp) {
  const octaves = Math.min(1, Math.log2(Math.max(fine.width, fine.height) / Math.max(coarse.width, coarse.height)));
  const share = crisp * octaves;
  const below = enlarged(blurred(coarse, SMOOTH * octaves)).data;
  const known = enlarged(blurred(reduced, COARSE)).data;
  const { data } = fine;
  for (let at = 0; at < data.length; at += 1) {
    if (at % 4 < 3) data[at] = below[at] + share * (data[at] - known[at]); // rounded, and clamped
  }
  return fine;
}

/** Convolves with a Gaussian; edges repeat. */
export function blurred({ data, width, height }, deviation) {
  const radius = Math.ceil(3 * deviation);
  const taps = Array.from({ length: 2 * radius + 1 }, (_, n) => Math.exp(-0.5 * ((n - radius) / deviation) ** 2));
  const total = taps.reduce((sum, tap) => sum + tap, 0);
  const across = new Float32Array(data.length);
  const result = new Uint8ClampedArray(data.length);
  const pass = (from, to, length, step, other, stride) => {
    for (let line = 0; line < other; line += 1) {
      for (let place = 0; place < length; place += 1) {
        const last = length - 1;
        for (let channel = 0; channel < 4; channel += 1) {
          let sum = 0;
          for (let n = -radius; n <= radius; n += 1) {
            const near = Math.min(last, Math.max(0, place + n));
            sum += taps[n + radius] * from[4 * (line * stride + near * step) + channel];
          }
          to[4 * (line * stride + place * step) + channel] = sum / total;
        }
      }
    }
  };
  pass(data, across, width, 1, height, width);
  pass(across, result, height, width, width, 1);
  return { data: result, width, height };
}
