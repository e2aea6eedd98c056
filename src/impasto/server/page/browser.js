/**
 * The painter that needs no server: the styles' networks run in the page, with onnxruntime-web. The
 * static export serves this module as painter.js; server.js exports the same names.
 *
 * Beside index.html lie styles.json and runtime/, which worker.js loads. styles.json is what GET
 * /v1/styles answers. Each style has `network` and `preview`, addresses relative to index.html.
 */
import { problem } from './dom.js';
import { grain as levels } from './grain.js';
import { kept as paperKept } from './paper.js';
import { canvas, encoded, fit, mixed, restored, scaled } from './picture.js';
import { refined, sides } from './scales.js';

export const docs = false;
export const slow = true;
export const promise = 'Painted in your browser. Nothing leaves it.';

const STROKE_SIDE = 1024; // long side in which brush marks have the size 1
const SMALLEST = 64; // smallest side that a network paints
const LARGEST = 2048; // largest side that fits into the memory of a page
const CRISP = 0.8; // how much of fine marks is laid on
const TINY = '-tiny'; // ends the name of a style that paints the fine marks of another
const PREVIEW = 384; // of the sample in the style, in its folder
const LONGEST = 600; // seconds of refining

const known = new Map();
let paintings = null; // how a painting becomes a network here
let keys = 0; // of networks that were learnt
let device = ''; // the device that painted last

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
  return { stylize_side: 4096, jobs: ['polish'], polish_deadline: LONGEST, paintings };
}

/** What painted last. */
export const by = () => (device ? ` with ${device}` : '');

/** Paints `source` (a file or a canvas): a canvas, or a blob of the media `type`. */
export async function paint(source, settings, { signal, tell, type } = {}) {
  const { style, strength = 1, keepColors, stroke = 1, grain = 6, size, mask, protect_faces: protects } = settings;
  const picture = source instanceof Blob ? await createImageBitmap(source) : source;
  const whole = [picture.width, picture.height];
  const photo = scaled(picture, ...fit(...whole, size ?? Math.max(...whole)));
  const { width, height } = photo;
  let painting = null;
  if (strength > 0) {
    // Marks get their size here: the network always paints them at one size in pixels.
    const coarsest = Math.min(LARGEST, STROKE_SIDE / stroke);
    const largest = Math.min(LARGEST, Math.max(width, height));
    for (const side of sides(coarsest, largest)) {
      const larger = await atSide(photo, side, settings, Boolean(painting), signal, tell);
      painting = painting ? laid(painting, larger) : larger;
    }
    painting = asPaper(photo, scaled(painting, width, height));
    if (protects) painting = (await facial()).softened(photo, painting, await faces(photo), protects);
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
  if (mask) restored(photo, mask.kept, result);
  return type ? encoded(result, type) : result;
}

const facial = () => import('./faces.js');

/** Finds the boxes of the faces in a canvas. */
export async function faces(picture) {
  const { find } = await facial();
  return find(picture, (pixels) => queued({ faces: 'faces/faces.onnx', pixels }));
}

/** Paints the photograph at a size, with fine marks from tiny networks, where there are some. */
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

/** Gives white paper and black bars their tone back, if they fill much of the painting. */
function asPaper(photo, painting) {
  const pixels = pixelsOf(painting);
  return paperKept(pixelsOf(photo), pixels) ? canvasOf(pixels) : painting;
}

function pixelsOf(picture) {
  return picture.getContext('2d').getImageData(0, 0, picture.width, picture.height);
}

function canvasOf({ data, width, height }) {
  const made = canvas(width, height);
  made.getContext('2d').putImageData(new ImageData(data, width, height), 0, 0);
  return made;
}

/** Combines what is coarse in the smaller painting with what is fine in the larger one. */
function laid(coarse, fine) {
  const reduced = pixelsOf(scaled(fine, coarse.width, coarse.height));
  const enlarged = (pixels) => pixelsOf(scaled(canvasOf(pixels), fine.width, fine.height));
  return canvasOf(refined(pixelsOf(coarse), pixelsOf(fine), reduced, enlarged, CRISP));
}

/** Adds grain, the same in all pictures of a size. */
function grained(data, deviation) {
  levels(data.length / 4, deviation).forEach((level, at) => {
    for (let n = 0; n < 3; n += 1) data[4 * at + n] += level;
  });
}

/** Refines a painting of the user's own. Its photograph is judged, and shown as it is so far. */
export async function job({ image }, { style, paintings: owns, boldness, polish, ...look }, use) {
  if (use.part !== 'style') throw problem('This needs impasto itself', 'install it, and run impasto serve');
  const { refined } = await import('./refine.js');
  const photo = await createImageBitmap(image);
  const shown = async (network) => {
    const own = { network, key: `*${(keys += 1)}` };
    use.show(await paint(photo, { ...look, style, paintings: { [style]: own } }, { signal: use.signal }));
  };
  const made = await weights(style, owns[style], boldness, use);
  const begun = { ...made, boldness, file: owns[style], any: paintings, photo, seconds: parseInt(polish, 10) };
  const found = await refined(begun, shown, use);
  return { ...found, key: `*${(keys += 1)}` };
}

/** Makes the zip file of a style that is made of a painting. */
export async function kept({ style, paintings: owns, boldness }, { title, ...use }) {
  const { folder } = await import('./folder.js');
  const own = owns[style];
  const made = own.network ? own : { ...(await weights(style, own, boldness, use)), boldness };
  const sample = await createImageBitmap(await (await fetch('page/sample.jpg')).blob());
  const small = scaled(sample, ...fit(sample.width, sample.height, PREVIEW));
  const shown = { ...made, key: made.key ?? `*${(keys += 1)}` };
  const preview = await paint(small, { style, paintings: { [style]: shown } }, { ...use, type: 'image/jpeg' });
  return folder(made, paintings, title, preview);
}

/** Asks the hypernetwork for the weights of a painting. */
const weights = async (name, file, boldness, { signal, tell }) => queued(await painted(name, file, boldness), signal, tell);

/** [['great-wave', 0.7], ['udnie', 0.3]] */
function parts(style) {
  return style.split(',').map((part) => {
    const [name, weight = 1] = part.split(':');
    return [name, Number(weight)];
  });
}

/** Prepares the user's own painting for the worker: a file, or what was learnt of one. */
async function painted(name, own, boldness) {
  if (own.network) return { key: own.key, bytes: own.network };
  const { seen } = await import('./any.js');
  return { key: `${name}/${boldness}`, any: paintings, boldness, seen: await seen(own, paintings.size) };
}

let worker = null;
let last = Promise.resolve();

/** Runs the network of one style on the pixels. */
async function network({ network: file, ...style }, { data, width, height }, signal, tell) {
  const url = file && new URL(file, document.baseURI).href;
  const pixels = data.slice();
  return canvasOf({ data: await queued({ ...style, url, pixels, width, height }, signal, tell), width, height });
}

/** Asks the worker, one thing at a time. */
function queued(message, signal, tell) {
  last = last.catch(() => {}).then(() => asked(message, signal, tell));
  return last;
}

function asked(message, signal, tell) {
  signal?.throwIfAborted();
  worker ??= new Worker(new URL(`worker.js${location.search}`, import.meta.url), { type: 'module' });
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
    worker.onmessage = ({ data: { answer, by, error, missing, got, total } }) => {
      if (got) return tell?.(`Fetching what knows paintings: ${Math.round((100 * got) / total)} %`);
      if (missing) return ended(problem('The painter could not be loaded', error));
      if (error) return ended(problem('The style could not be painted', error));
      if (by) device = by;
      return over(resolve, answer);
    };
    worker.onerror = ({ message }) => ended(problem('The painter could not be loaded', message));
    worker.postMessage({ ...message, base: document.baseURI }, message.pixels ? [message.pixels.buffer] : []);
  });
}
