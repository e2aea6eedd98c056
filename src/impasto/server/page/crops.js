/**
 * Cuts parts of photographs as the core does, which resizes with Pillow: cubic, without aliases.
 */

const REACH = 2; // of the kernel, in pixels of the smaller picture

/** The cubic kernel of Catmull and Rom (1974). */
function cubic(distance) {
  const x = Math.abs(distance);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < REACH ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/**
 * Returns, for each of `side` pixels of a `part` that begins at `start`, where its weights begin,
 * and the weights.
 */
function kernels(start, part, side, length) {
  const scale = part / side;
  const wide = Math.max(1, scale);
  return Array.from({ length: side }, (_, at) => {
    const middle = start + (at + 0.5) * scale;
    const first = Math.max(0, Math.trunc(middle - REACH * wide + 0.5));
    const end = Math.min(length, Math.trunc(middle + REACH * wide + 0.5));
    const weights = Array.from({ length: end - first }, (_, n) => cubic((n + first - middle + 0.5) / wide));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return [first, weights.map((weight) => weight / total)];
  });
}

/**
 * Returns the RGBA of a square of `side` pixels, cut from a picture's pixels. `zoom` says how large
 * a part it is. `left` and `top` say where it lies, from left and top (0) to right and bottom (1).
 * `mirrored` turns it round.
 */
export function cut({ data, width, height }, side, [zoom, left, top, mirrored]) {
  const part = Math.min(side / zoom, width, height);
  const across = kernels(left * (width - part), part, side, width);
  const down = kernels(top * (height - part), part, side, height);
  const middle = new Uint8ClampedArray(4 * side * height);
  const [first, end] = [down[0][0], down[side - 1][0] + down[side - 1][1].length];
  for (let y = first; y < end; y += 1) {
    across.forEach(([from, weights], x) => add(middle, side * y + (mirrored ? side - 1 - x : x), data, width * y + from, 1, weights));
  }
  const square = new Uint8ClampedArray(4 * side * side);
  down.forEach(([from, weights], y) => {
    for (let x = 0; x < side; x += 1) add(square, side * y + x, middle, side * from + x, side, weights);
  });
  return { data: square, side };
}

/** Writes a weighted sum of pixels, `stride` apart, to a place. */
function add(to, place, from, start, stride, weights) {
  for (let channel = 0; channel < 4; channel += 1) {
    let sum = 0;
    for (let n = 0; n < weights.length; n += 1) sum += weights[n] * from[4 * (start + n * stride) + channel];
    to[4 * place + channel] = sum;
  }
}
