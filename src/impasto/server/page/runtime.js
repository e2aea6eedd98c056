/**
 * What computes in a worker: WebGPU where the browser has it and it gives right results, else
 * WebAssembly. `?device=wasm` or `?device=webgpu` in the page's address decides for it.
 */
const wanted = new URLSearchParams(self.location.search).get('device');
// Threads share memory, which browsers give to isolated pages only.
const threads = self.crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency) : 1;

const NEAR = 0.02; // how far WebGPU may be from WebAssembly, as a part of a trial's result

const QUIET = { logSeverityLevel: 4 }; // its errors are handled

let gpu = false;
let why = ''; // why WebGPU is not used although it is there
let begun = null;

/** Says in words what runs a session. */
export function by(session) {
  if (session.gpu) return 'WebGPU';
  return `WebAssembly${threads > 1 ? `, ${threads} threads` : ''}${why && ` (${why})`}`;
}

async function hasGpu() {
  // The build with WebGPU waits for it inside WebAssembly.
  if (wanted === 'wasm' || !navigator.gpu || !WebAssembly.Suspending) return false;
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  // A software adapter is slower than WebAssembly.
  return Boolean(adapter) && (wanted === 'webgpu' || !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter));
}

async function load() {
  gpu = await hasGpu();
  const ort = await import(`../runtime/ort.${gpu ? 'jspi' : 'wasm'}.min.mjs`).catch(({ message }) => {
    throw Object.assign(new Error(message), { missing: true });
  });
  ort.env.wasm.wasmPaths = new URL('../runtime/', import.meta.url).href;
  ort.env.wasm.numThreads = threads;
  return ort;
}

/** onnxruntime-web, loaded when it is first needed. */
export const runtime = () => (begun ??= load());

/** Runs the network of a file on a device. */
export async function started(bytes, device = 'wasm') {
  const ort = await runtime();
  return ort.InferenceSession.create(bytes, { executionProviders: [device], ...QUIET });
}

/**
 * Starts the network with WebGPU, if it gives right results. `trial` gives the numbers that a
 * session makes of something small. Where WebGPU fails, then or later, WebAssembly takes its place.
 */
export async function quickest(bytes, trial) {
  const plain = await started(bytes);
  const quick = gpu && (await tried(bytes, plain, trial));
  if (!quick) return plain;
  plain.release();
  const { inputNames, outputNames } = quick;
  const session = { inputNames, outputNames, gpu: true, release: () => quick.release() };
  session.run = (feeds) => quick.run(feeds, QUIET).catch(async () => {
    refused('WebGPU failed');
    const other = await started(bytes);
    Object.assign(session, { gpu: false, run: (more) => other.run(more), release: () => other.release() });
    return other.run(feeds);
  });
  return session;
}

async function tried(bytes, plain, trial) {
  let quick = null;
  try {
    quick = await started(bytes, 'webgpu');
    if (apart(await trial(plain), await trial(quick)) <= NEAR) return quick;
    refused('WebGPU computed something else');
  } catch {
    refused('WebGPU failed');
  }
  quick?.release();
  return null;
}

function refused(reason) {
  gpu = false;
  why = reason;
}

/** Returns how far numbers are from others, as a part of the others. */
function apart(others, numbers) {
  let [sum, difference] = [0, 0];
  others.forEach((value, at) => {
    sum += value ** 2;
    difference += (value - numbers[at]) ** 2;
  });
  return Math.sqrt(difference / sum);
}

/** Fetches the bytes of a file; `got` hears how many have come. */
export async function fetched(url, got = () => {}) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  const counted = new TransformStream({
    transform(part, out) {
      got(part.length);
      out.enqueue(part);
    },
  });
  return new Uint8Array(await new Response(answer.body.pipeThrough(counted)).arrayBuffer());
}

/** Takes RGB from RGBA. */
export function colours(pixels) {
  const photo = new Uint8Array((3 * pixels.length) / 4);
  for (let i = 0, j = 0; i < pixels.length; i += 4) {
    photo[j++] = pixels[i];
    photo[j++] = pixels[i + 1];
    photo[j++] = pixels[i + 2];
  }
  return photo;
}
