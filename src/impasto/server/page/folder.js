/** The folder of a style, as the core writes it, in a zip file. */
import { problem } from './dom.js';

const LONGEST = 48; // letters of a style's name
const [LOCAL, CENTRAL, END] = [0x04034b50, 0x02014b50, 0x06054b50]; // how the parts of a zip file begin
const UTF8 = 0x800; // marks names as UTF-8
const DAY = 0x21; // the first day of the format

/** Writes the style of a painting, with a card. `any` says what made it; `preview` is a JPEG. */
export async function folder({ network, embedding, boldness, training }, any, title, preview) {
  const told = await (await fetch(any.card)).json();
  const name = plain(title) || told.name;
  const text = [...title].filter((letter) => letter >= ' ').join('') || name;
  const card = {
    ...told,
    name,
    title: text,
    artwork: { ...told.artwork, title: text },
    style_size: training?.style_size ?? any.size,
    style_crop: 'whole',
    preview: `${name}.jpg`,
    model: { ...told.model, sha256: await sha256(network), bytes: network.length },
    prediction: { ...told.prediction, boldness, embedding },
    training,
  };
  return zipped([
    [`${name}/card.json`, new TextEncoder().encode(`${JSON.stringify(card, null, 2)}\n`)],
    [`${name}/${card.preview}`, new Uint8Array(await preview.arrayBuffer())],
    [`${name}/${card.model.file}`, network],
  ]);
}

/** Makes the name of a style from a text; empty where the text has no letter or digit. */
function plain(text) {
  return text.toLowerCase().replace(/[^a-z0-9]+/g, '-').slice(0, LONGEST).replace(/^-+|-+$/g, '');
}

async function sha256(data) {
  if (!crypto.subtle) throw problem('Browsers save styles from secure pages only.', 'open this page as https, or on localhost');
  return [...new Uint8Array(await crypto.subtle.digest('SHA-256', data))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Packs files, each a name and bytes, into one. It does not compress; networks hardly shrink. */
export function zipped(files) {
  const [bodies, heads] = [[], []];
  let place = 0;
  for (const [path, data] of files) {
    const name = new TextEncoder().encode(path);
    const about = [20, UTF8, 0, 0, DAY, [crc32(data)], [data.length], [data.length], name.length, 0];
    const local = numbers([LOCAL], ...about);
    heads.push(numbers([CENTRAL], 20, ...about, 0, 0, 0, [0], [place]), name);
    bodies.push(local, name, data);
    place += local.length + name.length + data.length;
  }
  const listed = heads.reduce((sum, part) => sum + part.length, 0);
  const end = numbers([END], 0, 0, files.length, files.length, [listed], [place], 0);
  return new Blob([...bodies, ...heads, end], { type: 'application/zip' });
}

/** Writes numbers little-endian: two bytes for a number, four for one in brackets. */
function numbers(...values) {
  return Uint8Array.from(values.flatMap((value) => {
    const [number] = [value].flat();
    const bytes = [number, number >>> 8, number >>> 16, number >>> 24];
    return Array.isArray(value) ? bytes : bytes.slice(0, 2);
  }));
}

/** The checksum of zip files (ISO 3309). */
export function crc32(data) {
  let rest = ~0;
  for (const byte of data) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit += 1) rest = (rest >>> 1) ^ (0xedb88320 & -(rest & 1));
  }
  return ~rest >>> 0;
}
