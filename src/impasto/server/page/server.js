/**
 * The painter that asks a server (docs.html renders its API). The static export puts browser.js in
 * place of this module. Both export the same names, and the page imports either as painter.js.
 *
 * Addresses are relative to the page, so it works behind any prefix.
 */
import { make, problem } from './dom.js';
import { encoded, fit, opaque, scaled } from './picture.js';

export const docs = true;
/** Whether the first painting should be a small draft, because this painter is slow. */
export const slow = false;
export const promise = /^(localhost|127\.|\[::1\])/.test(location.hostname)
  ? 'Painted on this computer. Nothing leaves it.'
  : '';

const SEEN = 512; // side in pixels of the picture in which faces are looked for
const KEY = 'impasto-token';
const given = new URLSearchParams(location.hash.slice(1)).get('token');
if (given) {
  sessionStorage.setItem(KEY, given);
  history.replaceState(null, '', location.pathname + location.search);
}

export async function styles() {
  const { styles } = await (await call('v1/styles')).json();
  return styles.map((style) => ({ ...style, preview: style.preview.replace(/^\//, '') }));
}

export async function limits() {
  return (await call('v1/limits')).json();
}

/** Paints `source` (a file or a canvas) and returns a blob; `type` asks for a media type. */
export async function paint(source, settings, { signal, tell, type } = {}) {
  const clear = !(source instanceof Blob) && !opaque(source);
  const inner = clear ? 'image/png' : 'image/jpeg';
  const body = source instanceof Blob ? source : await encoded(source, inner);
  const headers = { Accept: type ?? inner };
  if (settings.paintings || settings.mask) {
    const sent = { method: 'POST', headers, body: form({ image: body }, settings) };
    return (await call('v1/stylize', sent, signal, tell)).blob();
  }
  headers['Content-Type'] = body.type || 'application/octet-stream';
  const query = new URLSearchParams(fields(settings));
  const answer = await call(`v1/stylize?${query}`, { method: 'POST', headers, body }, signal, tell);
  return answer.blob();
}

/** Finds the boxes of the faces in a canvas. */
export async function faces(picture) {
  const body = await encoded(scaled(picture, ...fit(picture.width, picture.height, SEEN)), 'image/jpeg');
  const headers = { 'Content-Type': body.type };
  return (await (await call('v1/faces', { method: 'POST', headers, body })).json()).faces;
}

/** Fetches the zip file of a style that is made of paintings. */
export async function kept(settings, { signal, tell }) {
  return (await call('v1/styles', { method: 'POST', body: form({}, settings) }, signal, tell)).blob();
}

/**
 * Returns what a job has made: its `result`, or the `part` of that name. `show` gets pictures so
 * far. `stopper` gets a function that ends it with the best result so far.
 */
export async function job(files, settings, { signal, tell, show, stopper, format, part } = {}) {
  const body = form(files, { ...settings, format });
  // This request is not cancelled half-way. Else the server would have a job that nobody could name.
  const answer = await call('v1/jobs', { method: 'POST', body, signal: null }, signal, tell);
  let now = await answer.json();
  const path = `v1/jobs/${now.id}`;
  let shown = null;
  const tells = (news) => {
    tell?.(news);
    if (!show || !news.preview || news.preview === shown) return;
    shown = news.preview;
    call(shown.slice(1), {}, signal).then((answer) => answer.blob()).then(show).catch(() => {});
  };
  stopper?.(() => call(`${path}/stop`, { method: 'POST' }, signal).catch(() => {}));
  const stop = () => call(path, { method: 'DELETE', keepalive: true }).catch(() => {});
  addEventListener('pagehide', stop);
  try {
    while (now.state === 'queued' || now.state === 'running') {
      now = await followed(path, now, signal, tells);
    }
    if (now.state === 'failed') throw problem(now.error.detail, now.error.hint);
    if (now.state !== 'done') throw problem('The server stopped this job.');
    return await (await call(`${path}/${part ?? 'result'}`, {}, signal, tell)).blob();
  } finally {
    removeEventListener('pagehide', stop);
    if (signal?.aborted) stop();
  }
}

export async function openapi() {
  return (await call('openapi.json')).json();
}

/** Returns the job as the stream of its events left it. EventSource could not send a token. */
async function followed(path, job, signal, tell) {
  const headers = { Accept: 'text/event-stream' };
  try {
    const answer = await call(`${path}/events`, { headers }, signal, tell);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ''; ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      const events = (text + value).split(/\r?\n\r?\n/);
      text = events.pop();
      for (const event of events) {
        const lines = event.split(/\r?\n/).filter((line) => line.startsWith('data:'));
        if (!lines.length) continue;
        job = JSON.parse(lines.map((line) => line.slice(5)).join('\n'));
        tell?.(job);
      }
    }
  } catch (error) {
    if (signal?.aborted || error.status) throw error;
  }
  if (job.state === 'queued' || job.state === 'running') {
    await pause(1, signal); // the stream was cut: ask, and listen again
    const answer = await call(path, {}, signal, tell).catch((error) => {
      if (signal?.aborted || error.status) throw error;
      tell?.('The server does not answer. Trying again…');
    });
    if (answer) job = await answer.json();
  }
  return job;
}

/** Makes a form with files. The files of a style's paintings come first, then the fields. */
function form(files, { paintings = {}, mask, ...settings }) {
  const body = new FormData();
  const add = ([name, value]) => body.append(name, value);
  const parts = settings.style.split(',').map((part) => part.split(':'));
  const [mine, named] = [true, false].map((own) => parts.filter(([name]) => name in paintings === own));
  const style = named.map((part) => (mine.length ? part[0] : part.join(':'))).join(',') || undefined;
  Object.entries(files).forEach(add);
  if (mask) body.append('mask', mask.file, 'mask.png');
  for (const [name] of mine) body.append('style', paintings[name], 'painting');
  const shares = mine.length && parts.length > 1 ? [...mine, ...named].map((part) => part[1]) : undefined;
  Object.entries(fields({ ...settings, style, shares })).forEach(add);
  return body;
}

function fields({ keepColors, ...settings }) {
  const all = { ...settings, keep_colors: keepColors || undefined };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** Fetches with the token. Waits when the server is busy. Turns errors into sentences. */
async function call(path, init = {}, signal, tell) {
  for (;;) {
    const token = sessionStorage.getItem(KEY);
    const headers = { ...init.headers, ...(token && { Authorization: `Bearer ${token}` }) };
    let answer;
    try {
      answer = await fetch(path, { signal, ...init, headers });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw problem('The server does not answer.', 'is “impasto serve” still running?');
    }
    if (answer.ok) return answer;
    const { detail, hint, code } = await answer.json().catch(() => ({}));
    const { status } = answer;
    const wait = Number(answer.headers.get('Retry-After'));
    if (status === 401) {
      await asked(token);
    } else if (status === 429 || (status === 503 && wait)) {
      const seconds = wait || 1;
      tell?.(`The server is busy. Trying again in ${seconds} ${seconds === 1 ? 'second' : 'seconds'}…`);
      await pause(seconds, signal);
      tell?.();
    } else {
      throw problem(detail ?? `The server answered ${status}.`, hint, { status, code });
    }
  }
}

function pause(seconds, signal) {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}

let question = null;

/** Asks for the token, once for all requests that were refused because of `refused`. */
function asked(refused) {
  if (sessionStorage.getItem(KEY) !== refused) return undefined;
  question ??= new Promise((resolve, reject) => {
    const input = make('input', { type: 'password', autocomplete: 'off', required: true });
    const dialog = make('dialog', {},
      make('form', { method: 'dialog' },
        make('label', {}, refused ? 'That token is not the server’s. Its token:' : 'The server’s token:', input),
        make('p', { className: 'soft' }, 'It was printed when the server started.'),
        make('button', { className: 'first' }, 'Continue')));
    dialog.addEventListener('close', () => {
      question = null;
      dialog.remove();
      if (!input.value) return reject(problem('The server wants its token.', 'load this page again to enter it', { status: 401 }));
      sessionStorage.setItem(KEY, input.value.trim());
      return resolve();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
  return question;
}
