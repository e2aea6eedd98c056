/**
 * Takes the steps of a polish beside the page, as the core's polishing/learning.py does. refine.js
 * says when.
 */
import { filled } from './any.js';
import { cut } from './crops.js';
import { exported } from './folded.js';
import { grain } from './grain.js';
import { Optimiser, norm, schedule } from './muon.js';
import { by, colours, fetched, quickest, runtime, started } from './runtime.js';

const TRIAL = 64; // pixels a side
const GRADIENT = 'gradient.';

let lesson; // the photographs and graphs of the training
let weights; // a Map of tensors by name, as they are now
let optimiser;

const tensor = async (data, dims) => new (await runtime()).Tensor(data instanceof Uint8Array ? 'uint8' : 'float32', data, dims);

/** Fetches what the training needs, and says what computes. */
async function begin({ recipe, base, total, any, painting, photo, boldness, ...made }) {
  let got = 0;
  const file = (place) => fetched(new URL(place, base), (more) => self.postMessage({ got: (got += more), total }));
  const [shared, step, statistics, template, ...files] = await Promise.all([
    ...['shared', 'step', 'statistics'].map((name) => file(recipe.graphs[name])),
    fetched(new URL(any.template, base)),
    ...recipe.photographs.map(file),
  ]);
  const opened = await Promise.all(files.map((bytes) => createImageBitmap(new Blob([bytes]))));
  // A file is made of parts, one after the other. Only one of them holds the loss network.
  const whole = async (part) => new Uint8Array(await new Blob([shared, part]).arrayBuffer());
  lesson = { recipe, any, template, photographs: opened.map(pixels), photo: pixels(photo), targets: await targets(await whole(statistics), painting) };
  const factors = recipe.loss_weights.map((value, at) => (at === 1 ? value * boldness : value));
  lesson.targets.loss_weights = await tensor(Float32Array.from(factors), [factors.length]);
  weights = made.weights;
  lesson.session = await quickest(await whole(step), trial);
  weights = new Map(lesson.session.inputNames.filter((name) => weights.has(name)).map((name) => [name, weights.get(name)]));
  optimiser = new Optimiser(recipe.optimiser);
  return by(lesson.session);
}

/** Computes the statistics of the painting's style. */
async function targets(graph, { data, width, height }) {
  const session = await started(graph);
  const found = await session.run({ painting: await tensor(colours(data), [1, height, width, 3]) });
  session.release();
  return found;
}

/** Runs a session on a photograph: losses and gradients as one list. */
async function trial(session) {
  const square = cut(lesson.photographs[0], TRIAL, [1, 0.5, 0.5, false]);
  const { losses, gradients } = await compared(square, 0, session);
  return [losses.total, ...[...gradients.values()].flatMap(({ data }) => [...data])];
}

/** Returns all pixels of a photograph. */
function pixels(picture) {
  const { width, height } = picture;
  const pen = new OffscreenCanvas(width, height).getContext('2d');
  pen.drawImage(picture, 0, 0);
  return pen.getImageData(0, 0, width, height);
}

/** Returns losses, and gradients by the names of the weights. */
async function compared({ data, side }, number, session = lesson.session) {
  const feeds = { ...lesson.targets };
  feeds.photograph = await tensor(colours(data), [1, side, side, 3]);
  feeds.grain = await tensor(grain(side * side, lesson.recipe.grain, number + 1), [1, side, side, 1]);
  for (const [name, { data: values, dims }] of weights) {
    if (session.inputNames.includes(name)) feeds[name] = await tensor(values, dims);
  }
  const [losses, gradients] = [{}, new Map()];
  for (const [name, { data: values, dims }] of Object.entries(await session.run(feeds))) {
    if (name.startsWith(GRADIENT)) gradients.set(name.slice(GRADIENT.length), { data: values, dims });
    else if (name !== 'painted') [losses[name]] = values;
  }
  return { losses, gradients };
}

function chosen(number, side) {
  const { crops } = lesson.recipe;
  const [photograph, ...place] = crops[number % crops.length];
  return cut(lesson.photographs[photograph], side, place);
}

/** Returns the objective of the photograph that is in no step. */
async function judge() {
  const square = cut(lesson.photo, lesson.recipe.crop, [0, 0.5, 0.5, false]);
  return (await compared(square, 0)).losses.total;
}

/** Measures the seconds of a step, without learning. */
async function measure({ side }) {
  const start = performance.now();
  const { gradients } = await compared(chosen(0, side), 0);
  new Optimiser(lesson.recipe.optimiser).step(new Map(weights), gradients, 0);
  return (performance.now() - start) / 1000;
}

/** Learns from a photograph; returns the losses before that. */
async function step({ number, steps, side }) {
  const { losses, gradients } = await compared(chosen(number, side), number);
  const bad = !Number.isFinite(losses.total + norm(gradients));
  if (bad) throw new Error(`the loss stopped being a number at step ${number + 1}`);
  const { rate, warm_up: rise } = lesson.recipe;
  optimiser.step(weights, gradients, rate * schedule(number, steps, rise));
  return losses;
}

/** Returns the file of the network as it is now. */
const network = () => filled(lesson.template, lesson.any.weights, exported(weights, lesson.recipe.exported));

const CALLS = { begin, judge, measure, step, network };

self.onmessage = async ({ data: { call, ...given } }) => {
  try {
    self.postMessage({ answer: await CALLS[call](given) });
  } catch (error) {
    self.postMessage({ error: String(error.message ?? error) });
  }
};
