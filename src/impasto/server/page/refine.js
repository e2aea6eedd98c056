/**
 * Refines the user's own painting in the browser alone, as the core's polishing does. The network
 * that was made at once learns on. Its photographs are fetched when the user asks for this.
 */
import { seen } from './any.js';
import { problem } from './dom.js';
import { blurred } from './scales.js';

const SHOWN = 3000; // least milliseconds between pictures so far
const KINDS = ['total', 'content', 'style', 'tv']; // of losses, that a card tells

/**
 * Polishes the network of a painting's `file` for so many seconds, and returns what was learnt.
 * `shown` paints with a network so far. `ask` waits until the user has agreed to a sentence.
 * `stopper` gets a function that ends it with the best result so far.
 */
export async function refined(begun, shown, { signal, tell, ask, stopper }) {
  const { file, any, photo, boldness, seconds, weights } = begun;
  const recipe = await told(any.refining.recipe);
  const whole = await seen(file, recipe.style_size);
  const painting = blurred(whole, recipe.style_smoothing);
  const learner = connected(signal, tell);
  try {
    const given = { recipe, any, painting, photo, boldness, weights, total: any.refining.bytes };
    const by = await learner.ask('begin', { ...given, base: document.baseURI });
    tell('Measuring a step');
    const before = await learner.ask('judge');
    const course = await planned(learner, recipe, seconds);
    await ask(estimate(by, course));
    const start = performance.now();
    const losses = await learn(learner, course, shown, { tell, stopper });
    const validation = await learner.ask('judge');
    if (!(losses.length && validation <= before)) {
      throw problem('What there is at once is better than what was learnt', 'refine it for longer');
    }
    const { embedding } = begun;
    const network = await learner.ask('network');
    const training = record(recipe, { losses, crop: course.side, validation, boldness, seconds: (performance.now() - start) / 1000 });
    return { network, embedding, boldness, training };
  } finally {
    learner.end();
  }
}

async function told(place) {
  const answer = await fetch(place).catch(() => null);
  if (!answer?.ok) throw problem('What learns could not be fetched', 'try again when the page’s server answers');
  return answer.json();
}

/** Plans how many steps there are, the side of their crops, and how long each takes. */
async function planned(learner, { crop, enough, fewest }, seconds) {
  const measured = async (side) => {
    const each = await learner.ask('measure', { side });
    return { side, each, steps: Math.max(fewest, Math.floor(seconds / each)) };
  };
  const whole = await measured(crop);
  return whole.steps < enough ? measured(crop / 2) : whole;
}

/** Takes the steps, and shows now and then what came of them. Returns the losses of each. */
async function learn(learner, { steps, side }, shown, { tell, stopper }) {
  const start = performance.now();
  const losses = [];
  let [stopped, showing, last] = [false, null, start];
  while (losses.length < steps && !stopped) {
    losses.push(await learner.ask('step', { number: losses.length, steps, side }));
    if (losses.length === 1) stopper(() => { stopped = true; });
    const now = performance.now();
    tell({ state: 'running', kind: 'polish', step: losses.length, total: steps, seconds: (now - start) / 1000 });
    if (showing || now - last < SHOWN) continue;
    const network = await learner.ask('network');
    showing = shown(network).catch(() => {}).finally(() => {
      [showing, last] = [null, performance.now()];
    });
  }
  await showing;
  return losses;
}

/** Says in a sentence what it will cost. */
function estimate(by, { each, steps }) {
  const left = each * steps;
  const time = left < 90 ? `${Math.ceil(left)} s` : `${Math.round(left / 60)} min`;
  return `${by}: a step takes ${each.toPrecision(2)} s, ${steps} steps about ${time}. `
    + 'All that time the processor works hard, which empties a battery.';
}

/** Returns what the card says of it. */
function record({ training }, { losses, crop, validation, boldness, seconds }) {
  const last = losses.slice(-Math.max(1, Math.floor(losses.length / 10)));
  const mean = (kind) => last.reduce((sum, each) => sum + each[kind], 0) / last.length;
  const round = (value) => Number(value.toFixed(4));
  return {
    ...training,
    steps: losses.length,
    crop,
    loss: { ...training.loss, style_weight: training.loss.style_weight * boldness },
    losses: Object.fromEntries(KINDS.map((kind) => [kind, round(mean(kind))])),
    seconds: Math.round(seconds),
    validation: round(validation),
  };
}

/** Connects to the worker that learns; it does one thing after the other. */
function connected(signal, tell) {
  signal.throwIfAborted();
  const worker = new Worker(new URL(`learner.js${location.search}`, import.meta.url), { type: 'module' });
  const stopped = new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });
  const answered = (call, given) => new Promise((resolve, reject) => {
    worker.onerror = ({ message }) => reject(problem('What learns could not be loaded', message));
    worker.onmessage = ({ data: { answer, error, got, total } }) => {
      if (got) return tell(`Fetching what learns: ${Math.round((100 * got) / total)} % of ${(total / 1e6).toFixed(1)} MB`);
      return error ? reject(problem('The painting could not be refined', error)) : resolve(answer);
    };
    worker.postMessage({ call, ...given });
  });
  const ask = (call, given) => Promise.race([answered(call, given), stopped]);
  return { ask, end: () => worker.terminate() };
}
