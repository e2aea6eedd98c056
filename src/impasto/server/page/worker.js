/** Runs the networks beside the page, so that it stays responsive and can stop them. */
import { by, colours, fetched, quickest, runtime, started } from './runtime.js';

const KEPT = 3;
const TRIAL = 64; // pixels a side: the smallest that networks paint
const SIDE = 256; // side of the square in which faces are looked for
const sessions = new Map();

/** Returns what was begun under this name, unless it failed. */
function once(name, begin) {
  if (!sessions.has(name)) {
    const begun = begin();
    begun.catch(() => sessions.delete(name));
    sessions.set(name, begun);
  }
  return sessions.get(name);
}

/** Fetches the bytes of a large file; the page hears how much has come. */
function large(url, total) {
  let got = 0;
  return fetched(url, (more) => self.postMessage({ got: (got += more), total }));
}

const painter = (bytes) => quickest(bytes, trial);
const use = { once, large, fetched, started };

/** Keeps the networks of the last few paintings. */
function painted(style) {
  const mine = [...sessions.keys()].filter((name) => name.startsWith('*') && name !== style.key);
  for (const name of mine.slice(0, -KEPT)) {
    sessions.get(name).then((old) => old.release());
    sessions.delete(name);
  }
  return once(style.key, async () => painter(style.bytes ?? (await made(style)).network));
}

/** Returns the weights of a painting's network, and the network with them. */
async function made(style) {
  return (await import('./any.js')).made(style, { ort: await runtime(), colours, ...use });
}

async function run(network, pixels, width, height, weights) {
  const { Tensor } = await runtime();
  const feeds = { [network.inputNames[0]]: new Tensor('uint8', colours(pixels), [1, height, width, 3]) };
  const [, styles] = network.inputNames; // the input of a network of several styles
  if (styles) feeds[styles] = new Tensor('float32', weights, [weights.length]);
  return (await network.run(feeds))[network.outputNames[0]].data;
}

/** Runs a network on a picture with something of everything in it. */
const trial = (network) => run(network, new Uint8Array(4 * TRIAL * TRIAL).map((_, at) => (at * at) >> 6), TRIAL, TRIAL, [1]);

async function paint({ url, weights, pixels, width, height, ...style }) {
  const network = await (url ? once(url, () => fetched(url).then(painter)) : painted(style));
  const painting = await run(network, pixels, width, height, weights);
  for (let i = 0, j = 0; i < pixels.length; i += 4) {
    pixels[i] = painting[j++];
    pixels[i + 1] = painting[j++];
    pixels[i + 2] = painting[j++];
    pixels[i + 3] = 255;
  }
  self.postMessage({ answer: pixels, by: by(network) }, [pixels.buffer]);
}

/** Runs the network that finds faces on a square. */
async function seen({ faces, base, pixels }) {
  const network = await once(faces, () => fetched(new URL(faces, base).href).then((bytes) => started(bytes)));
  const { Tensor } = await runtime();
  const found = await network.run({ pixels: new Tensor('uint8', colours(pixels), [1, SIDE, SIDE, 3]) });
  return { boxes: found.boxes.data, scores: found.scores.data };
}

self.onmessage = async ({ data }) => {
  try {
    if (data.faces) self.postMessage({ answer: await seen(data) });
    else if (data.pixels) await paint(data);
    else self.postMessage({ answer: await made(data) });
  } catch (error) {
    self.postMessage({ error: String(error.message ?? error), missing: error.missing });
  }
};
