/**
 * Any painting as a style in the browser alone: what the page sees of it, and the network that the
 * worker makes. The page and the worker load this when the user brings the first painting.
 */
import { problem } from './dom.js';
import { scaled } from './picture.js';

const SMALLEST = 32; // pixels that each side of a painting has
const NARROWEST = 16; // the same at the size at which the network sees it
const FLAT = 3; // most levels between darkest and lightest that count as a single colour

/**
 * Returns a painting's pixels at the size at which the network sees it: a longer side of `side`.
 */
export async function seen(file, side) {
  const painting = await createImageBitmap(file);
  const { width: w, height: h } = painting;
  const size = side / Math.max(w, h);
  const [width, height] = [w, h].map((length) => Math.max(1, Math.round(length * size)));
  const picture = scaled(painting, width, height);
  const { data } = picture.getContext('2d').getImageData(0, 0, width, height);
  const bad = (why) => problem(`The painting ${why}`, 'choose another one, or a part of it');
  if (Math.min(w, h) < SMALLEST) throw bad(`is ${w}x${h}, too small to learn a style from`);
  if (Math.min(width, height) < NARROWEST) throw bad(`is ${w}x${h}, too narrow to learn a style from`);
  const flat = [0, 1, 2].every((channel) => {
    const values = data.filter((_, index) => index % 4 === channel);
    return values.reduce((a, b) => Math.max(a, b)) - values.reduce((a, b) => Math.min(a, b)) <= FLAT;
  });
  if (flat) throw bad('has a single colour, and so no style');
  return { data, width, height };
}

/**
 * Returns the weights of a painting's network, by name. Also returns its `embedding` among all
 * styles, and the network.
 */
export async function made({ any, seen, boldness, base }, { ort, once, large, fetched, started, colours }) {
  const [maker, template] = await Promise.all([
    once('any', () => large(new URL(any.network, base).href, any.bytes).then((bytes) => started(bytes))),
    once('template', () => fetched(new URL(any.template, base).href)),
  ]);
  const floats = (values, shape = [values.length]) => new ort.Tensor('float32', values, shape);
  const found = await maker.run({
    [maker.inputNames[0]]: new ort.Tensor('uint8', colours(seen.data), [1, seen.height, seen.width, 3]),
    boldness: floats([boldness]),
    share: floats([1]),
    others: floats(new Float32Array(any.embedding), [1, any.embedding]),
  });
  const weights = new Map(Object.entries(found).map(([name, { data, dims }]) => [name, { data, dims }]));
  return { weights, embedding: [...found.embedding.data], network: filled(template, any.weights, weights) };
}

/** Returns the template's file with other weights, which stand at known places in it. */
export function filled(template, places, weights) {
  const network = template.slice();
  for (const [name, place] of places) {
    const { buffer, byteOffset, byteLength } = weights.get(name).data;
    network.set(new Uint8Array(buffer, byteOffset, byteLength), place);
  }
  return network;
}
