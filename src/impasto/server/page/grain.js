/** Grain that is laid over photographs, as the core's images/grain.py lays it. */

/** So many levels, nearly normally distributed, with this deviation; the same for each `seed`. */
export function grain(count, deviation, seed = 1) {
  let state = seed; // of Lehmer's generator, with the factor of Park and Miller 1988
  const next = () => (state = (state * 48271) % 2147483647) / 2147483647;
  return Float32Array.from({ length: count }, () => (next() + next() + next() + next() - 2) * Math.sqrt(3) * deviation);
}
