/** Makes grain for photographs, as the core's images/grain.py does. */

/**
 * Returns `count` levels, nearly normally distributed, with this deviation; each `seed` gives the
 * same.
 */
export function grain(count, deviation, seed = 1) {
  let state = seed; // of Lehmer's generator, with the factor of Park and Miller 1988
  const next = () => (state = (state * 48271) % 2147483647) / 2147483647;
  return Float32Array.from({ length: count }, () => (next() + next() + next() + next() - 2) * Math.sqrt(3) * deviation);
}
