/**
 * The painter that needs no server: the styles' networks run in the page, by onnxruntime-web.
 * The static export serves this module as painter.js; server.js exports the same names.
 *
 * Beside index.html lie styles.json (as GET /v1/styles answers it, each style with `network`
 * and `preview`, addresses relative to index.html) and runtime/, which worker.js loads.
 */
import { problem } from './dom.js';
import { kept } from './paper.js';
import { canvas, encoded, fit, mixed, scaled } from './picture.js';
import { refined, sides } from './scales.js';

export const docs = false;
export const slow = true;
export const promise = 'Painted in your browser. Nothing leaves it.';

const STROKE_SIDE = 1024; // long side in which brush marks have the size 1
const SMALLEST = 64; // that a network paints
const LARGEST = 2048; // that it paints in the memory of a page
const CRISP = 0.8; // how much of fine marks is laid on
const TINY = '-tiny'; // ends the name of a style that paints fine marks as another does

const known = new Map();
let paintings = null; // how a painting becomes a network here

let list = null;

async function listed() {
  const answer = await fetch('styles.json');
  if (!answer.ok) throw problem('The list of styles is missing', 'export this folder again');
  return answer.json();
}

export async function styles() {
  const { styles } = await (list ??= listed());
  for (const style of styles) known.set(style.name, style);
  return styles;
}

export async function limits() {
  ({ any: paintings } = await (list ??= listed()));
  return { stylize_side: 4096, jobs: [], paintings };
}

/** `source` (a file or a canvas), painted: a canvas, or a blob of the media `type`. */
export async function paint(source, settings, { signal, tell, type } = {}) {
  const { style, strength = 1, keepColors, stroke = 1, grain = 6, size } = settings;
  const picture = source instanceof Blob ? await createImageBitmap(source) : source;
  const whole = [picture.width, picture.height];
  const photo = scaled(picture, ...fit(...whole, size ?? Math.max(...whole)));
  const { width, height } = photo;
  let painting = null;
  if (strength > 0) {
    // Where marks get their size: the network always paints them at one size in pixels.
    const coarsest = Math.min(LARGEST, STROKE_SIDE / stroke);
    const largest = Math.min(LARGEST, Math.max(width, height));
    for (const side of sides(coarsest, largest)) {
      const larger = await atSide(photo, side, settings, Boolean(painting), signal, tell);
      painting = painting ? laid(painting, larger) : larger;
    }
    painting = asPaper(photo, scaled(painting, width, height));
    if (keepColors) {
      // The painting's lightness in the photograph's hue and saturation.
      const own = scaled(photo, width, height);
      const pen = own.getContext('2d');
      pen.globalCompositeOperation = 'luminosity';
      pen.drawImage(painting, 0, 0);
      painting = own;
    }
  }
  const result = mixed(photo, painting, strength);
  return type ? encoded(result, type) : result;
}

/** The photograph painted at a size; fine marks by tiny networks, where there are some. */
async function atSide(photo, side, { style, grain = 6, paintings: owns, boldness }, fine, signal, tell) {
  const part = side / Math.max(photo.width, photo.height);
  const size = [photo.width, photo.height].map((length) => Math.max(SMALLEST, Math.round(length * part)));
  const ground = pixelsOf(scaled(photo, ...size));
  if (grain) grained(ground.data, grain);
  let painting = null;
  let total = 0;
  for (const [name, weight] of parts(style)) {
    const own = owns?.[name];
    const chosen = own ? await painted(name, own, boldness) : (fine && known.get(name + TINY)) || known.get(name);
    const one = await network(chosen, ground, signal, tell);
    total += weight;
    painting = painting ? mixed(painting, one, weight / total) : one;
  }
  return painting;
}

/** The painting, in which white paper and black bars keep their tone where they fill much of it. */
function asPaper(photo, painting) {
  const pixels = pixelsOf(painting);
  return kept(pixelsOf(photo), pixels) ? canvasOf(pixels) : painting;
}

function pixelsOf(picture) {
  return picture.getContext('2d').getImageData(0, 0, picture.width, picture.height);
}

function canvasOf({ data, width, height }) {
  const made = canvas(width, height);
  made.getContext('2d').putImageData(new ImageData(data, width, height), 0, 0);
  return made;
}

/** What is coarse in the smaller painting, and fine in the larger one. */
function laid(coarse, fine) {
  const reduced = pixelsOf(scaled(fine, coarse.width, coarse.height));
  const enlarged = (pixels) => pixelsOf(scaled(canvasOf(pixels), fine.width, fine.height));
  return canvasOf(refined(pixelsOf(coarse), pixelsOf(fine), reduced, enlarged, CRISP));
}

/** Grain of this deviation, in levels; the same in all pictures of a size. */
function grained(data, deviation) {
  let state = 1; // of Lehmer's generator, with the factor of Park and Miller 1988
  for (let at = 0; at < data.length; at += 4) {
    let sum = -2; // and four even numbers: nearly normal
    for (let n = 0; n < 4; n += 1) sum += (state = (state * 48271) % 2147483647) / 2147483647;
    for (let n = 0; n < 3; n += 1) data[at + n] += sum * Math.sqrt(3) * deviation;
  }
}

export async function job() {
  throw problem('This needs impasto itself', 'install it, and run impasto serve');
}

/** [['great-wave', 0.7], ['udnie', 0.3]] */
function parts(style) {
  return style.split(',').map((part) => {
    const [name, weight = 1] = part.split(':');
    return [name, Number(weight)];
  });
}

/** A painting of one's own as the worker takes it. */
async function painted(name, file, boldness) {
  const { seen } = await import('./any.js');
  return { key: `${name}/${boldness}`, any: paintings, boldness, seen: await seen(file, paintings.size) };
}

let worker = null;
let last = Promise.resolve();

/** What the network of one style makes of the pixels; one at a time. */
function network(style, ground, signal, tell) {
  last = last.catch(() => {}).then(() => asked(style, ground, signal, tell));
  return last;
}

function asked({ network: file, ...style }, { data, width, height }, signal, tell) {
  signal?.throwIfAborted();
  worker ??= new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
  const pixels = data.slice();
  const url = file && new URL(file, document.baseURI).href;
  return new Promise((resolve, reject) => {
    const over = (settle, value) => {
      signal?.removeEventListener('abort', stopped);
      settle(value);
    };
    const ended = (why) => {
      worker.terminate(); // the only way to stop a network; the next one starts anew
      worker = null;
      over(reject, why);
    };
    const stopped = () => ended(signal.reason);
    signal?.addEventListener('abort', stopped);
    worker.onmessage = ({ data: { pixels: painted, error, got, total } }) => {
      if (got) return tell?.(`Fetching what knows paintings: ${Math.round((100 * got) / total)} %`);
      if (error) return ended(problem('The style could not be painted', error));
      const made = canvas(width, height);
      made.getContext('2d').putImageData(new ImageData(painted, width, height), 0, 0);
      return over(resolve, made);
    };
    worker.onerror = ({ message }) => ended(problem('The painter could not be loaded', message));
    worker.postMessage({ ...style, url, base: document.baseURI, pixels, width, height }, [pixels.buffer]);
  });
}
