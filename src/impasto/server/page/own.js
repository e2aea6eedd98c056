/**
 * The user's own paintings; the page loads this when the user brings the first one. They are styles
 * like others, and stay in the page for this visit.
 */
import * as painter from './painter.js';
import { make } from './dom.js';
import { canvas, encoded, fit, scaled } from './picture.js';

const SENT = 640; // pixels of the longer side: a painting is seen at 320, and learnt at 512
const [WIDTH, HEIGHT] = [144, 96]; // of a thumbnail
const TIMES = [['60s', 'a minute'], ['180s', 'three minutes'], ['600s', 'ten minutes']];

let page; // what app.js lends
let tools; // what exists only for paintings, made once

/** Makes a server load what knows paintings while the user chooses the first one. */
async function warmed() {
  const dot = canvas(64, 64);
  const pen = dot.getContext('2d');
  for (const [shade, width] of [['white', 64], ['black', 32]]) {
    pen.fillStyle = shade;
    pen.fillRect(0, 0, width, 64);
  }
  const paintings = { '*': await encoded(dot, 'image/png') };
  await painter.paint(dot, { style: '*', paintings, style_size: 64, stroke: 10 });
}

const warm = painter.slow ? undefined : warmed().catch(() => {}); // a slow painter fetches it when it paints

/** Turns a painting that was chosen, dropped or pasted into a style, and chooses it. */
export async function bring(file, lent) {
  page = lent;
  tools ??= tooled();
  const opened = async (signal, tells) => {
    const bitmap = await createImageBitmap(file).catch(() => page.sent(file, { signal, tell: tells }));
    const small = scaled(bitmap, ...fit(bitmap.width, bitmap.height, SENT));
    bitmap.close();
    await warm;
    return { small, blob: await encoded(small, 'image/png') }; // a JPEG's colours would be coarser
  };
  const painting = await (page.live() ? opened() : page.work('Opening', opened));
  if (!painting) return;
  hang({ own: painting.blob, file: file.name || 'painting.jpg', artist: 'Your own painting', preview: thumbnail(painting.small) });
}

/** Cuts as much of the middle as a thumbnail shows. */
function thumbnail(picture) {
  const small = canvas(WIDTH, HEIGHT);
  const part = Math.max(WIDTH / picture.width, HEIGHT / picture.height);
  const [w, h] = [picture.width * part, picture.height * part].map(Math.ceil);
  small.getContext('2d').drawImage(scaled(picture, w, h), (WIDTH - w) / 2, (HEIGHT - h) / 2);
  return small;
}

/** Adds a style to the others, and chooses it. */
function hang(style) {
  const { styles, limits, stem, tile, preview } = page;
  const name = `*${[...styles.values()].filter((one) => one.own).length + 1}`;
  const title = style.title ?? stem(style.file);
  const { parameters } = limits.paintings; // of its network; networks with equal ones can be blended
  styles.set(name, { name, title, parameters, ...style });
  const shown = tile(styles.get(name), true);
  page.$('own').after(shown);
  page.$('second').append(new Option(title, name));
  shown.firstChild.focus();
  return preview();
}

const boldness = () => Number((3 ** tools.bold.value).toFixed(2));
const learnt = (one) => Boolean(one.refined);

/** Returns what these styles add to a request to a painter. */
export function settings(mine) {
  const paintings = Object.fromEntries(mine.map(({ name, own }) => [name, own]));
  return { paintings, boldness: mine.every(learnt) ? undefined : boldness() };
}

/** Returns the flags of a style for the command line. */
export function flags(text) {
  const mine = text.match(/\*\d+/g)?.map((name) => page.styles.get(name)) ?? [];
  const refined = mine.find(learnt);
  const bold = refined?.boldness ?? boldness();
  return [
    ...(mine.length && bold !== 1 ? ['--boldness', bold] : []),
    ...(refined ? ['--polish', refined.refined] : []),
  ];
}

/** Shows the settings of the chosen style and its partner. */
export function describe(style, partner) {
  const { row, bold, refine, time, more, save, said } = tools;
  const mine = [style, partner].filter((one) => one?.own);
  row.hidden = !mine.some((one) => !learnt(one));
  said.textContent = bold.ariaValueText = `${boldness().toFixed(2)} ×`;
  refine.hidden = time.hidden = more.hidden = !style.own || learnt(style) || !page.limits.jobs.includes('polish');
  refine.disabled = !page.photo?.small;
  save.hidden = !style.own;
  save.parentNode.hidden = refine.hidden && save.hidden;
}

function tooled() {
  const bold = make('input', { type: 'range', id: 'boldness', min: -1.1, max: 1, step: 0.1, value: 0 });
  const said = make('output', { htmlFor: 'boldness' });
  const row = make('div', { className: 'row' }, make('label', { htmlFor: 'boldness' }, 'Boldness'), bold, said);
  const longest = page.limits.polish_deadline;
  const times = TIMES.filter(([amount]) => parseInt(amount, 10) <= longest).map(([value, text]) => new Option(text, value));
  const time = make('select', { id: 'time', ariaLabel: 'For how long' }, times);
  const refine = make('button', { type: 'button', id: 'refine', onclick: refined, title: 'Learn the painting while you watch' }, 'Refine for');
  const { refining } = page.limits.paintings; // in the browser alone
  const more = make('span', { className: 'soft' }, refining ? `Refining fetches ${(refining.bytes / 1e6).toFixed(1)} MB.` : '');
  const save = make('button', { type: 'button', id: 'save', onclick: kept, title: 'A folder for impasto stylize -s' }, 'Save the style');
  page.$('label').append(make('div', { className: 'tools' }, refine, time, save, more));
  page.$('strength').parentNode.before(row);
  bold.oninput = page.describe;
  bold.onchange = page.preview;
  return { row, bold, said, refine, time, more, save };
}

/** Polishes the style of the painting, and shows the photograph in it meanwhile. */
async function refined() {
  const { work, keeping, reveal, photo, stem } = page;
  const base = page.style();
  const { style, boldness: bold, ...settings } = page.settings();
  const amount = tools.time.value;
  const made = await work('Refining', async (signal, tells) => {
    const show = async (picture) => {
      const seen = await createImageBitmap(picture);
      if (!signal.aborted && page.photo === photo) reveal(seen);
    };
    const stopper = (stop) => !signal.aborted && keeping('Keep it so', () => {
      page.$('keep').hidden = true;
      stop();
    });
    const ask = (sentence) => new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      tells(sentence);
      keeping('Begin', () => {
        page.$('cancel').focus();
        page.$('keep').hidden = true; // a second click ends nothing
        resolve();
      });
      page.$('keep').focus(); // the sentence describes it
    });
    const image = await encoded(photo.small, 'image/jpeg');
    const wanted = { ...settings, style: base.name, paintings: { [base.name]: base.own }, boldness: bold, polish: amount };
    return painter.job({ image }, wanted, { signal, tell: tells, show, ask, stopper, part: 'style' });
  });
  if (!made) {
    page.preview(); // as it was at once
    return;
  }
  const { own, name, ...rest } = base;
  hang({ ...rest, own: made, refined: amount, boldness: bold, title: `${stem(base.file)}, refined`, preview: thumbnail(base.preview) });
}

async function kept() {
  const { name, own, file, ...style } = page.style();
  const wanted = { style: name, paintings: { [name]: own }, boldness: boldness() };
  const title = page.stem(file);
  const saving = (signal, tell) => painter.kept(wanted, { signal, tell, title });
  const made = learnt(style) && own instanceof Blob ? own : await page.work('Saving', saving);
  if (made) page.saved(made, `${title}.zip`);
}
