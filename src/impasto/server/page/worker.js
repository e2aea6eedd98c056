/** Runs the networks beside the page, so that it stays responsive and can stop them. */
import * as ort from '../runtime/ort.wasm.min.mjs';

ort.env.wasm.wasmPaths = new URL('../runtime/', import.meta.url).href;
// Threads share memory, which browsers give to isolated pages only.
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency) : 1;

const KEPT = 3;
const sessions = new Map();

/** What was begun under this name, unless it failed. */
function once(name, begin) {
  if (!sessions.has(name)) {
    const begun = begin();
    begun.catch(() => sessions.delete(name));
    sessions.set(name, begun);
  }
  return sessions.get(name);
}

/** The bytes of a file; of a large one, the page is told how much has come. */
async function fetched(url, total = 0) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  if (!total) return new Uint8Array(await answer.arrayBuffer());
  const bytes = new Uint8Array(total);
  let got = 0;
  for (const reader = answer.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return bytes;
    bytes.set(value, got);
    got += value.length;
    self.postMessage({ got, total });
  }
}

const started = (bytes) => ort.InferenceSession.create(bytes);
const session = (url) => once(url, () => fetched(url).then(started));

/** Of a painting, the last few are kept. */
function painted(style) {
  const mine = [...sessions.keys()].filter((name) => name.startsWith('*') && name !== style.key);
  for (const name of mine.slice(0, -KEPT)) {
    sessions.get(name).then((old) => old.release());
    sessions.delete(name);
  }
  return once(style.key, async () => (await import('./any.js')).network(style, { ort, once, fetched, started, colours }));
}

/** RGB of RGBA. */
function colours(pixels) {
  const photo = new Uint8Array((3 * pixels.length) / 4);
  for (let i = 0, j = 0; i < pixels.length; i += 4) {
    photo[j++] = pixels[i];
    photo[j++] = pixels[i + 1];
    photo[j++] = pixels[i + 2];
  }
  return photo;
}

self.onmessage = async ({ data: { url, weights, pixels, width, height, ...style } }) => {
  try {
    const network = await (url ? session(url) : painted(style));
    const area = width * height;
    const feeds = { [network.inputNames[0]]: new ort.Tensor('uint8', colours(pixels), [1, height, width, 3]) };
    const [, styles] = network.inputNames; // of a network of several
    if (styles) feeds[styles] = new ort.Tensor('float32', weights, [weights.length]);
    const { data: painting } = (await network.run(feeds))[network.outputNames[0]];
    for (let i = 0, j = 0; i < 4 * area; i += 4) {
      pixels[i] = painting[j++];
      pixels[i + 1] = painting[j++];
      pixels[i + 2] = painting[j++];
      pixels[i + 3] = 255;
    }
    self.postMessage({ pixels }, [pixels.buffer]);
  } catch (error) {
    self.postMessage({ error: String(error.message ?? error) });
  }
};
