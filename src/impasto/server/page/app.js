/**
 * The page: a photograph, the settings, and the one run that paints it.
 *
 * painter.js is server.js, or browser.js in the static export. Both export the same names. Three
 * things make what is on the wall: the photograph, its painting, the strength.
 */
import * as painter from './painter.js';
import { frames } from './camera.js';
import { make, problem } from './dom.js';
import { encoded, fit, mixed, scaled } from './picture.js';

const PREVIEW = 1024; // long side at which brush marks have the size 1
const DRAFT = 512;
const LIVE = 480;
const KEPT = 16; // paintings that are kept, so that going back to a style is instant
const ENDING = { 'image/png': 'png', 'image/webp': 'webp', 'image/avif': 'avif', 'video/mp4': 'mp4',
  'video/quicktime': 'mov', 'video/matroska': 'mkv', 'video/webm': 'webm', 'image/gif': 'gif' };
const TINY = '-tiny'; // great-wave-tiny paints as great-wave does, and faster
const FILM = /\.(mp4|m4v|mov|mkv|webm|avi)$/i;

const $ = (id) => document.getElementById(id);
const [strength, brush, grain, colors, protect, second, share, divider, before, after] = [
  'strength', 'brush', 'grain', 'colors', 'protect', 'second', 'share', 'divider', 'before', 'after',
].map($);

let limits = { jobs: [] };
const styles = new Map();
let photo = null; // { name, file, width, height, small: canvas } or { name, file, film: true }
let painting = null; // a canvas or bitmap, or null while there is none
let run = null; // the AbortController of the work at hand
let camera = null; // the run that paints what the camera sees
let slow = painter.slow;
let paintings = new Map(); // of this photograph, by settings
let own = null; // own.js, once a painting has been brought
let marks = null; // mask.js, once something is to be kept

// What the settings say

function style() {
  return styles.get(document.querySelector('input[name=style]:checked')?.value);
}

/** Only networks of one shape can be blended. */
function blends(other) {
  return other.parameters === style().parameters;
}

/** The second style of a blend, if the user chose one that goes with the first. */
function partner() {
  const other = styles.get(second.value);
  return other && other !== style() && blends(other) ? other.name : '';
}

/**
 * What to ask for. For ``moving`` pictures the tiny network that paints alike is taken, if there is
 * one.
 */
function settings(moving = false) {
  const { name } = style();
  const other = partner();
  const mine = [style(), styles.get(other)].filter((one) => one?.own);
  const tiny = moving && !other && styles.has(name + TINY) ? TINY : ''; // few tiny networks can be blended
  const part = Number(share.value).toFixed(2).replace(/0$/, '');
  const rest = (1 - share.value).toFixed(2).replace(/0$/, '');
  return {
    style: other ? `${name}:${rest},${other}:${part}` : name + tiny,
    stroke: photo?.film ? undefined : Number((2 ** brush.value).toFixed(2)), // films have none
    grain: grain.checked ? undefined : 0,
    keepColors: colors.checked,
    protect_faces: (photo?.faces && Number(protect.value)) || undefined,
    ...(mine.length && own.settings(mine)),
  };
}

/** The command that paints the same; words with anything unusual in them are quoted. */
function command() {
  const word = (text) => (/^[\w./:,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const { style: name, stroke, keepColors, protect_faces: protects } = settings();
  const source = photo?.name ?? 'photo.jpg';
  const parts = ['impasto', 'stylize', word(source), '-s', word(filed(name))];
  if (own) parts.push(...own.flags(name));
  if (stroke && stroke !== 1) parts.push('--stroke', stroke);
  if (!photo?.film && !grain.checked) parts.push('--grain', 0);
  if (strength.value < 1) parts.push('--strength', strength.value);
  if (keepColors) parts.push('--keep-colors');
  if (protects) parts.push('--protect-faces', protects);
  if (marks?.covers()) parts.push('--mask', word(marks.named(source)));
  return parts.join(' ');
}

/** What the browser paints with, if the browser paints. */
const by = () => painter.by?.() ?? '';

const stem = (name) => name.replace(/\.[^.]*$/, '');

/** The text of a style, with the files of paintings in place of their names here. */
const filed = (text, part = (name) => name) => text.replace(/\*\d+/g, (name) => part(styles.get(name).file));

/** photo.great-wave */
function paintedName() {
  const by = settings().style.replace(/:[\d.]+/g, '').replace(',', '+');
  return `${stem(photo?.name ?? 'photo.jpg')}.${filed(by, stem)}`;
}

/** Tells one painting of a photograph from another. */
const paintingKey = () => JSON.stringify(settings());

function describe() {
  const percent = (value) => `${Math.round(100 * value)} %`;
  $('strength-is').textContent = strength.ariaValueText = percent(strength.value);
  $('brush-is').textContent = brush.ariaValueText = `${(2 ** brush.value).toFixed(2)} ×`;
  $('faces').hidden = !photo?.faces;
  $('protect-is').textContent = protect.ariaValueText = percent(protect.value);
  for (const range of document.querySelectorAll('.row input')) {
    const { min, max, value } = range;
    range.style.setProperty('--part', `${(100 * (value - min)) / (max - min)}%`);
  }
  if (!style()) return;
  share.disabled = !partner();
  $('share-is').textContent = share.ariaValueText = share.disabled ? '' : percent(share.value);
  own?.describe(style(), styles.get(partner()));
  const { title, artist, year } = style();
  $('title').textContent = title;
  $('artist').textContent = [artist, year?.replaceAll(' ', '\u00a0')].filter(Boolean).join(', ');
  for (const option of second.options) option.disabled = option.value && !blends(styles.get(option.value));
  brush.disabled = grain.disabled = Boolean(photo?.film);
  $('mark').disabled = !photo?.small || photo.live;
  $('command').replaceChildren(...command().split(' ').flatMap((word) => [make('span', {}, word), ' ']));
  after.ariaLabel = `${photo?.name}, painted in the style of ${title}`;
}

// What is seen

function reveal(made) {
  const first = !painting;
  painting = made;
  draw();
  if (first && !matchMedia('(prefers-reduced-motion: reduce)').matches) {
    after.animate({ opacity: [0, 1] }, 400);
  }
}

function draw() {
  mixed(photo.small, painting, Number(strength.value), after);
  marks?.lay(photo.small, after);
}

/** Hangs a photograph on the wall, as large as there is room. */
function hang(small) {
  for (const one of [before, after]) Object.assign(one, { width: small.width, height: small.height });
  $('frame').style.setProperty('--width', small.width);
  $('frame').style.setProperty('--ratio', small.width / small.height);
  mixed(small, null, 0, before);
}

/** A style as a radio button, so that the browser gives arrow keys and one tab stop. */
function tile({ name, title, preview: picture }, checked) {
  const seen = typeof picture === 'string'
    ? make('img', { src: picture, alt: '', width: 144, height: 96, decoding: 'async' })
    : picture;
  return make('label', { className: 'tile', title },
    make('input', { type: 'radio', name: 'style', value: name, checked }), seen,
    make('span', {}, title.replace(/ \(.*/, '')));
}

function show(what) {
  for (const id of ['welcome', 'frame', 'film']) $(id).hidden = id !== what;
  const sources = $('sources');
  const home = what === 'welcome' ? $('welcome') : $('place');
  if (sources.parentNode === home) return;
  const focused = document.activeElement;
  home.append(sources);
  if (sources.contains(focused)) focused.focus();
}

function say(text) {
  $('status').textContent = text;
}

function complain({ message, hint }) {
  $('message').replaceChildren(
    make('p', {}, sentence(message)),
    make('p', {}, hint ? sentence(hint) : ''),
    make('button', { type: 'button', textContent: 'Close', onclick: quiet }));
  say('');
}

function quiet() {
  $('message').replaceChildren();
}

function sentence(text) {
  const whole = text.trim();
  return whole[0].toUpperCase() + whole.slice(1) + (/[.!?…]$/.test(whole) ? '' : '.');
}

/** Shows a text, or how far a job is. */
function tell(news, doing) {
  const job = typeof news === 'object' && news;
  const known = job && job.state === 'running' && job.total;
  $('doing').textContent = job ? progress(job, doing) : (news ?? doing);
  if (known) Object.assign($('progress'), { max: job.total, value: job.step });
  else $('progress').removeAttribute('value');
}

function progress({ state, ahead, kind, step, total, seconds }, doing) {
  if (state === 'queued') return ahead ? `Waiting: ${ahead} before this one` : 'Waiting';
  if (!total || !step) return doing;
  const unit = { film: 'frame', polish: 'step' }[kind] ?? 'part';
  const left = (seconds / step) * (total - step);
  const time = left < 90 ? `${Math.ceil(left)} s` : `${Math.round(left / 60)} min`;
  return `${doing}: ${unit} ${step} of ${total}, ${time} left`;
}

/**
 * Does one thing and stops the one before. Errors are shown. A stop is no error, and ends the work
 * at once. What is asked before the styles have come waits for them.
 */
async function work(doing, task) {
  run?.abort();
  const mine = new AbortController();
  const stopped = new Promise((_, reject) => {
    mine.signal.onabort = () => reject(mine.signal.reason);
  });
  run = mine;
  quiet();
  say(`${doing}…`);
  tell(undefined, doing);
  $('busy').hidden = false;
  $('keep').hidden = true;
  $('cancel').textContent = 'Cancel';
  try {
    await Promise.race([ready, stopped]);
    const tells = (news) => run === mine && tell(news, doing);
    const made = await Promise.race([task(mine.signal, tells), stopped]);
    return mine.signal.aborted ? undefined : made;
  } catch (error) {
    if (!mine.signal.aborted) complain(error);
    return undefined;
  } finally {
    if (run === mine) {
      run = null;
      $('busy').hidden = true;
    }
  }
}

/** Offers to end the work at hand with the result so far. */
function keeping(text, onclick) {
  Object.assign($('keep'), { hidden: false, textContent: text, onclick });
}

// Painting

const visible = async (made) => (made instanceof Blob ? createImageBitmap(made) : made);

/** Paints what is on the wall anew, unless that is painted already. */
async function preview() {
  describe();
  if (!photo || photo.film || live() || !style()) return;
  const wanted = settings();
  const key = paintingKey();
  const shown = photo;
  const last = painting;
  if (paintings.has(key)) {
    run?.abort();
    reveal(paintings.get(key));
    say('');
    return;
  }
  if (run?.key === key && run.photo === shown) return; // it is being painted
  const start = performance.now();
  const made = await work('Painting', async (signal, tells) => {
    Object.assign(run, { key, photo: shown });
    const show = async (blob) => {
      const made = await createImageBitmap(blob);
      if (!signal.aborted) reveal(made);
    };
    const use = { signal, tell: tells, show };
    const { width, height } = shown.small;
    if ((wanted.paintings ? painter.slow : slow) && Math.max(width, height) > DRAFT) {
      const draft = scaled(shown.small, ...fit(width, height, DRAFT));
      const half = { ...wanted, stroke: Math.min(10, 2 * wanted.stroke) };
      await painter.paint(draft, half, use).then(show);
    }
    return painter.paint(shown.small, wanted, use).then(visible);
  });
  if (!made) {
    const meant = !run && photo === shown && paintingKey() === key;
    if (meant && painting === last) { // it belongs to another style than the one that is named
      painting = null;
      draw();
    }
    return;
  }
  const seconds = (performance.now() - start) / 1000;
  if (!wanted.paintings) slow = seconds > 1.5;
  if (paintings.size >= KEPT) paintings.delete(paintings.keys().next().value);
  paintings.set(key, made);
  reveal(made);
  say(`Painted in ${seconds < 60 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`}${by()}`);
}

/** The picture in its full size, or the whole film, as a file. */
async function download() {
  const wanted = { ...settings(), strength: Number(strength.value) };
  const kind = photo.film ? undefined : ENDING[photo.file.type];
  const called = paintedName();
  const key = paintingKey();
  const shown = photo;
  const doing = photo.film ? 'Painting the film' : 'Painting in full size';
  const file = await work(doing, async (signal, tells) => {
    const use = { signal, tell: tells };
    const mask = shown.film ? undefined : await marks?.mask();
    if (mask) wanted.mask = mask;
    const type = `image/${kind ?? 'jpeg'}`;
    if (shown.film) return painter.job({ image: shown.file }, wanted, use);
    const side = Math.max(shown.width, shown.height);
    const large = () => {
      const size = side > limits.job_side ? limits.job_side : undefined;
      return painter.job({ image: shown.file }, { ...wanted, size }, { ...use, format: kind ?? 'jpeg' });
    };
    if (limits.jobs.includes('stylize')) {
      if (side > limits.stylize_side) return large();
    } else if (side > limits.stylize_side) wanted.size = limits.stylize_side;
    try {
      return await painter.paint(shown.file, wanted, { ...use, type });
    } catch (error) {
      // A picture that the browser could not open has no known size before the server says so.
      if (error.status === 413 && !shown.width && limits.jobs.includes('stylize')) return large();
      throw error;
    }
  });
  if (!file) return;
  const name = `${called}.${ENDING[file.type] ?? 'jpg'}`; // a browser writes PNG for what it cannot
  saved(file, name);
  if (!paintings.has(key)) preview(); // it was stopped for the download
}

function saved(file, name) {
  const address = URL.createObjectURL(file);
  make('a', { href: address, download: name }).click();
  setTimeout(URL.revokeObjectURL, 60_000, address);
  say(`Saved as ${name}`);
}

// Where pictures come from

async function open(file) {
  if (!file) return;
  stop();
  const { name, type } = file;
  if (type.startsWith('video/') || FILM.test(name)) {
    const painted = await work('Opening', async () => {
      if (limits.jobs.includes('film')) return true;
      throw problem('Films are not painted here.', 'impasto stylize paints them in a terminal; see docs/how-to/video.md');
    });
    if (!painted) return;
    Object.assign($('download'), { disabled: false, textContent: 'Paint the film' });
    $('film-name').textContent = name;
    photo = { name, file, film: true };
    show('film');
    say('');
    describe();
    return;
  }
  const opened = await work('Opening', async (signal, tells) => {
    const own = await createImageBitmap(file).catch(() => null);
    const picture = own ?? (await sent(file, { signal, tell: tells }));
    const small = scaled(picture, ...fit(picture.width, picture.height, PREVIEW));
    const [width, height] = own ? [own.width, own.height] : [0, 0];
    picture.close();
    return { name, file, width, height, small };
  });
  if (!opened) return;
  photo = opened;
  marks?.reset();
  painting = null;
  paintings = new Map();
  divider.value = 0;
  Object.assign($('download'), { disabled: false, textContent: 'Download' });
  hang(photo.small);
  uncover();
  draw();
  show('frame');
  lookForFaces(photo);
  await preview();
}

/** Offers to protect faces, if a photograph has some. */
async function lookForFaces(seen) {
  seen.faces = (await painter.faces(seen.small).catch(() => [])).length;
  if (photo === seen) describe();
}

/** Lets the server read a file that this browser cannot read (TIFF, HEIC), unpainted. */
async function sent(file, use) {
  try {
    const wanted = { style: styles.keys().next().value, strength: 0, size: PREVIEW };
    return await createImageBitmap(await painter.paint(file, wanted, { ...use, type: 'image/jpeg' }));
  } catch (error) {
    if (![400, 415, 422].includes(error.status) && error.name !== 'InvalidStateError') throw error;
    throw unreadable(file);
  }
}

const jpeg = (blob, name) => new File([blob], name, { type: 'image/jpeg' });
const unreadable = ({ name }) => problem(`“${name}” is no picture that can be opened`, 'try a JPEG or a PNG');

async function sample() {
  const blob = await work('Opening', async (signal) => (await fetch('page/sample.jpg', { signal })).blob());
  if (blob) await open(jpeg(blob, 'sample.jpg'));
}

const live = () => run !== null && run === camera;

/** Paints what the camera sees: one picture after another, as fast as the painter is. */
async function watch() {
  let kept = null;
  const back = photo?.live ? photo.back : { photo, painting };
  await work('Starting the camera', async (signal, tells) => {
    let rate = 0;
    let keeps = false;
    camera = run;
    keeping('Keep this frame', () => { keeps = true; });
    $('cancel').textContent = 'Stop';
    $('download').disabled = true;
    for await (const video of frames(signal)) {
      const size = [video.videoWidth, video.videoHeight];
      if (keeps) {
        kept = scaled(video, ...size, size);
        return;
      }
      const start = performance.now();
      const small = scaled(video, ...fit(...size, LIVE), size);
      const wanted = settings(true);
      wanted.stroke = Math.min(10, (2 ** brush.value * PREVIEW) / LIVE); // painted in one pass
      wanted.grain = 0; // it would stand where the picture moves
      const made = await painter.paint(small, wanted, { signal, tell: tells }).then(visible);
      if (signal.aborted) return;
      const first = !photo?.live;
      photo = { name: 'camera.jpg', live: true, small, back };
      painting = made;
      if (first) {
        hang(small);
        show('frame');
        say('');
        describe();
      } else mixed(small, null, 0, before);
      draw();
      const now = 1000 / (performance.now() - start);
      rate = rate ? 0.9 * rate + 0.1 * now : now;
      tells(`Live, ${rate.toFixed(rate < 10 ? 1 : 0)} frames per second${by()}`);
    }
  });
  if (kept) await open(jpeg(await encoded(kept, 'image/jpeg'), 'camera.jpg'));
  else if (photo === back.photo || photo.live) restore(back); // otherwise something new hangs there
}

/** Hangs what was on the wall before the camera. */
function restore(back) {
  const seen = photo?.live;
  ({ photo, painting } = back);
  $('download').disabled = !photo;
  if (!photo) show('welcome');
  else if (photo.film) show('film');
  else if (seen) {
    hang(photo.small);
    draw();
  }
  describe();
  if (!run && !$('message').hasChildNodes()) preview();
}

function stop() {
  run?.abort();
}

/** What app.js lends to own.js. */
const page = { $, styles, say, work, keeping, reveal, saved, stem, tile, sent, preview, describe,
  style, settings, live, redraw, get photo() { return photo; }, get limits() { return limits; } };

/** Draws anew after a change of what is kept. */
function redraw() {
  draw();
  describe();
}

const owned = async () => { own ??= await import('./own.js'); };

async function ownPainting(file) {
  if (!file) return;
  try {
    await owned();
    await own.bring(file, page);
  } catch (error) {
    complain(error);
  }
}

/** Takes a file as a painting where styles are, else as a photograph. */
const given = (node, [file]) => ($('styles').contains(node) ? ownPainting : open)(file);

// Wiring

function uncover() {
  before.style.clipPath = `inset(0 ${100 - divider.value}% 0 0)`;
  divider.ariaValueText = `${Math.round(divider.value)} % photograph`;
}

function wire() {
  const chooser = { choose: 'file', shoot: 'capture', own: 'painting' };
  for (const [button, input] of Object.entries(chooser)) $(button).onclick = () => $(input).click();
  for (const input of [$('file'), $('capture'), $('painting')]) {
    input.onchange = () => {
      const [file] = input.files;
      input.value = ''; // so that the same file can be chosen again
      return input.id === 'painting' ? ownPainting(file) : open(file);
    };
  }
  $('own').addEventListener('click', () => owned().catch(complain));
  $('sample').onclick = sample;
  $('camera').onclick = watch;
  $('download').onclick = download;
  $('mark').onclick = async () => {
    marks ??= await import('./mask.js').catch(complain);
    marks?.toggle(page);
  };
  $('cancel').onclick = () => {
    stop();
    say('Stopped');
  };
  $('copy').onclick = async () => {
    try {
      await navigator.clipboard.writeText(command());
      say('Copied');
    } catch { // an insecure page has no clipboard
      getSelection().selectAllChildren($('command'));
      say('Selected: copy it now');
    }
  };
  strength.oninput = () => {
    describe();
    if (photo?.small) draw();
  };
  brush.oninput = share.oninput = protect.oninput = describe;
  brush.onchange = share.onchange = protect.onchange = grain.onchange = colors.onchange = second.onchange = preview;
  // A click on the chosen style counts, too: perhaps it was stopped, and shall be painted after all.
  $('gallery').onchange = preview;
  $('gallery').onclick = ({ target }) => target.name === 'style' && preview();
  $('panel').onsubmit = (event) => event.preventDefault();
  divider.oninput = uncover;

  addEventListener('dragover', (event) => {
    event.preventDefault();
    document.body.classList.add('drop');
  });
  addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) document.body.classList.remove('drop');
  });
  addEventListener('drop', (event) => {
    event.preventDefault();
    document.body.classList.remove('drop');
    given(event.target, event.dataTransfer.files);
  });
  addEventListener('paste', ({ clipboardData }) => given(document.activeElement, clipboardData.files));
}

async function start() {
  wire();
  $('promise').textContent = painter.promise;
  $('docs').hidden = !painter.docs;
  const [found, allowed] = await Promise.all([painter.styles(), painter.limits()]);
  limits = allowed;
  brush.min = Math.max(brush.min, Math.log2(PREVIEW / limits.stylize_side));
  for (const one of found) styles.set(one.name, one);
  const twin = ({ name }) => name.endsWith(TINY) && styles.has(name.slice(0, -TINY.length));
  const shown = found.filter((one) => !twin(one));
  second.append(...shown.map((one) => new Option(one.title, one.name)));
  const favourite = styles.has('great-wave') ? 'great-wave' : found[0]?.name;
  $('gallery').append(...shown.map((one) => tile(one, one.name === favourite)));
  $('own').hidden = !limits.paintings;
  preview();
}

const ready = start();
ready.catch(complain);
