/** Runs the networks beside the page, so that it stays responsive and can stop them. */
import * as ort from '../runtime/ort.wasm.min.mjs';

ort.env.wasm.wasmPaths = new URL('../runtime/', import.meta.url).href;
// Threads share memory, which browsers give to isolated pages only.
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency) : 1;

const sessions = new Map();

function session(url) {
  if (!sessions.has(url)) {
    const loading = fetch(url).then(async (answer) => {
      if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
      return ort.InferenceSession.create(new Uint8Array(await answer.arrayBuffer()));
    });
    loading.catch(() => sessions.delete(url));
    sessions.set(url, loading);
  }
  return sessions.get(url);
}

self.onmessage = async ({ data: { url, weights, pixels, width, height } }) => {
  try {
    const network = await session(url);
    const area = width * height;
    const photo = new Uint8Array(3 * area);
    for (let i = 0, j = 0; i < 4 * area; i += 4) {
      photo[j++] = pixels[i];
      photo[j++] = pixels[i + 1];
      photo[j++] = pixels[i + 2];
    }
    const feeds = { [network.inputNames[0]]: new ort.Tensor('uint8', photo, [1, height, width, 3]) };
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
