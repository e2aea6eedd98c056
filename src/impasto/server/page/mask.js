/**
 * "Keep this": a brush over the picture, with mouse, finger or keyboard. What it covers stays the
 * photograph. Strokes are stored, so that each can be undone; `kept` is opaque where they lie.
 */
import { make } from './dom.js';
import { canvas, encoded, restored } from './picture.js';

const TINT = 'rgb(64 132 255 / .45)';
const STEP = 8; // of the keyboard's brush, in pixels of the preview
const KEYS = 'Arrow keys move the brush, with Shift they paint. Space paints, E erases, Z undoes, '
  + 'plus and minus change its size.';

let page = null; // what app.js lends
let photo = null; // the photograph of the strokes
let kept = null;
let strokes = [];
let place = null; // place of the brush, in pixels of the preview
let drawing = false;

const layer = make('canvas', { id: 'keeps', tabIndex: 0, role: 'application', ariaLabel: `Keep this. ${KEYS}` });
const size = make('input', { type: 'range', id: 'keep-size', min: 1, max: 30, step: 1, value: 8 });
const shown = make('output', {});
const eraser = make('input', { type: 'checkbox', id: 'keep-erase' });
const button = (textContent, onclick) => make('button', { type: 'button', textContent, onclick });
const undoing = button('Undo', undo);
const clearing = button('Clear', () => add({ clear: true }, 'Nothing is kept'));
const saving = button('Save the mask', save);
const bar = make('div', { role: 'group', ariaLabel: 'What stays the photograph' },
  make('div', { className: 'row' }, make('label', { htmlFor: size.id }, 'Size'), size, shown),
  make('label', { className: 'check' }, eraser, ' Erase'),
  make('div', { className: 'tools' }, undoing, clearing, saving));

/** Begins and ends keeping; `lent` is what app.js lends. */
export function toggle(lent) {
  page = lent;
  const begins = !layer.isConnected;
  page.$('mark').ariaPressed = String(begins);
  if (begins) {
    page.$('marking').append(bar);
    hang();
    page.$('frame').append(layer);
    layer.focus();
  } else {
    bar.remove();
    layer.remove();
  }
}

/** Forgets all strokes, because another picture hangs there. */
export function reset() {
  if (layer.isConnected) toggle(page);
  [photo, kept, strokes, place] = [null, null, [], null];
}

/** Whether anything is kept. */
export function covers() {
  const since = strokes.findLastIndex((one) => one.clear) + 1;
  return strokes.slice(since).some((one) => !one.erase);
}

/** Lays the photograph over its painting where it is kept. */
export function lay(small, onto) {
  if (small === photo && covers()) restored(small, kept, onto);
}

/**
 * Returns what is kept as a mask, for a painter and as a file for the command: white is painted,
 * black stays.
 */
export async function mask() {
  if (!covers()) return undefined;
  const drawn = canvas(kept.width, kept.height);
  const pen = drawn.getContext('2d');
  pen.drawImage(kept, 0, 0);
  pen.globalCompositeOperation = 'source-in';
  pen.fillRect(0, 0, kept.width, kept.height);
  pen.globalCompositeOperation = 'destination-over';
  pen.fillStyle = '#fff';
  pen.fillRect(0, 0, kept.width, kept.height);
  return { kept, file: await encoded(drawn, 'image/png') };
}

export const named = (name) => `${page.stem(name)}.mask.png`;

async function save() {
  page.saved((await mask()).file, named(page.photo.name));
}

/** Puts the layer over the picture that hangs there. */
function hang() {
  const { small } = page.photo;
  if (photo !== small) {
    reset();
    photo = small;
    kept = canvas(small.width, small.height);
  }
  Object.assign(layer, { width: small.width, height: small.height });
  show();
}

/** Size of the brush in pixels of the preview. */
const width = () => (size.value / 100) * Math.max(photo.width, photo.height);

function show() {
  const pen = layer.getContext('2d');
  pen.clearRect(0, 0, layer.width, layer.height);
  pen.drawImage(kept, 0, 0);
  pen.globalCompositeOperation = 'source-in';
  pen.fillStyle = TINT;
  pen.fillRect(0, 0, layer.width, layer.height);
  pen.globalCompositeOperation = 'source-over';
  if (place) {
    for (const [strokeStyle, lineWidth] of [['#000', 4], ['#fff', 2]]) {
      Object.assign(pen, { strokeStyle, lineWidth });
      pen.beginPath();
      pen.arc(...place, width() / 2, 0, 2 * Math.PI);
      pen.stroke();
    }
  }
  shown.textContent = size.ariaValueText = `${size.value} %`;
  undoing.disabled = !strokes.length;
  clearing.disabled = saving.disabled = !covers();
}

/** Draws a stroke, or the part of it after the point `from`. */
function draw({ clear, erase, width: lineWidth, points }, from = 0) {
  const pen = kept.getContext('2d');
  if (clear) return pen.clearRect(0, 0, kept.width, kept.height);
  Object.assign(pen, { lineWidth, lineCap: 'round', lineJoin: 'round' });
  pen.globalCompositeOperation = erase ? 'destination-out' : 'source-over';
  pen.beginPath();
  pen.moveTo(...points[Math.max(0, from - 1)]);
  for (const [x, y] of points.slice(from)) pen.lineTo(x + 0.01, y); // no length would be no dot
  return pen.stroke();
}

function changed() {
  show();
  page.redraw();
}

function add(stroke, said = stroke.erase ? 'Erased' : 'Kept') {
  strokes.push(stroke);
  draw(stroke);
  changed();
  page.say(said);
}

function undo() {
  if (!strokes.pop()) return;
  kept.getContext('2d').clearRect(0, 0, kept.width, kept.height);
  for (const one of strokes) draw(one);
  changed();
  page.say('Undone');
}

const stroke = (...points) => ({ erase: eraser.checked, width: width(), points });

function at({ clientX, clientY }) {
  const { left, top, width: wide, height: tall } = layer.getBoundingClientRect();
  return [((clientX - left) / wide) * layer.width, ((clientY - top) / tall) * layer.height];
}

layer.onpointerdown = (event) => {
  if (event.button) return;
  event.preventDefault();
  layer.focus();
  layer.setPointerCapture(event.pointerId);
  drawing = true;
  place = at(event);
  add(stroke(place));
};
layer.onpointermove = (event) => {
  place = at(event);
  if (drawing) {
    const last = strokes.at(-1);
    last.points.push(place);
    draw(last, last.points.length - 1);
    changed();
  } else show();
};
layer.onpointerup = layer.onpointercancel = () => { drawing = false; };
layer.onpointerleave = layer.onblur = () => {
  place = null;
  show();
};
layer.onfocus = () => {
  place ??= [photo.width / 2, photo.height / 2];
  show();
};

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Moves the keyboard's brush, which stays on the picture. */
function move([x, y], paints) {
  const before = place;
  const within = (value, most) => Math.min(most, Math.max(0, value));
  place = [within(place[0] + STEP * x, photo.width), within(place[1] + STEP * y, photo.height)];
  if (paints) add(stroke(before, place));
  else show();
}

function resized(by) {
  size.value = Number(size.value) + by;
  show();
}

layer.onkeydown = (event) => {
  const { key, shiftKey } = event;
  place ??= [photo.width / 2, photo.height / 2];
  const does = {
    ' ': () => add(stroke(place)),
    e: () => eraser.click(),
    z: undo,
    '+': () => resized(1),
    '-': () => resized(-1),
    Escape: () => page.$('mark').click(),
  }[key.length > 1 ? key : key.toLowerCase()] ?? (MOVES[key] && (() => move(MOVES[key], shiftKey)));
  if (!does || event.altKey || (event.ctrlKey && key !== 'z') || event.metaKey) return;
  event.preventDefault();
  does();
};
eraser.onchange = () => page.say(eraser.checked ? 'The brush erases' : 'The brush keeps');
size.oninput = () => {
  size.style.setProperty('--part', `${(100 * (size.value - 1)) / 29}%`);
  show();
};
