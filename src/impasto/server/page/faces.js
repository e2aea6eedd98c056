/** Finds and protects faces in the browser, as the core's stylization/faces.py does. */
import { canvas, fit, restored, scaled } from './picture.js';

const SIDE = 256; // of the square that the network sees
const SURE = 0.7;
const LEAST = 0.3; // lowest scores of a face, and of a box that counts at all
const SAME = 0.3; // least overlap of two boxes of one face
const [WIDE, TALL, UP] = [0.62, 0.8, 0.12]; // half axes of a face, and how far up it lies, relative to its box
const [INNER, OUTER] = [0.85, 1.3]; // where its mask begins to fade, and where it ends
const GENTLE = 0.6; // how much of the photograph shows through

/** Finds boxes of faces, from 0 to 1; `seen` runs the network on a square's pixels. */
export async function find(picture, seen) {
  const found = await looked(picture, seen);
  const mirrored = (await looked(picture, seen, true)).map(({ left, right, ...one }) => ({ ...one, left: 1 - right, right: 1 - left }));
  const other = (face) => Math.max(0, ...mirrored.filter((one) => overlap(one, face) > SAME).map(({ score }) => score));
  return found.filter((face) => (face.score + other(face)) / 2 > SURE);
}

async function looked(picture, seen, mirror = false) {
  const [width, height] = fit(picture.width, picture.height, SIDE);
  const [left, top] = [Math.floor((SIDE - width) / 2), Math.floor((SIDE - height) / 2)];
  const square = canvas(SIDE, SIDE);
  const pen = square.getContext('2d', { willReadFrequently: true });
  pen.fillRect(0, 0, SIDE, SIDE);
  const at = (from) => (from - left) / width;
  if (mirror) pen.setTransform(-1, 0, 0, 1, left + width, top);
  else pen.setTransform(1, 0, 0, 1, left, top);
  pen.drawImage(scaled(picture, width, height), 0, 0);
  const { boxes, scores } = await seen(pen.getImageData(0, 0, SIDE, SIDE).data);
  const found = Array.from(scores, (score, n) => {
    const [x, y, right, bottom] = boxes.subarray(4 * n, 4 * n + 4).map((part) => part * SIDE);
    return { score, left: at(x), right: at(right), top: (y - top) / height, bottom: (bottom - top) / height };
  });
  return apart(found.filter(({ score }) => score > LEAST).sort((one, other) => other.score - one.score));
}

function overlap(one, other) {
  const area = ({ left, top, right, bottom }) => (right - left) * (bottom - top);
  const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left);
  const tall = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
  const both = Math.max(0, wide) * Math.max(0, tall);
  return both / (area(one) + area(other) - both);
}

/** Returns one box for each face, the mean of its boxes, weighted with their scores. */
function apart(found) {
  const kept = [];
  while (found.length) {
    const [first] = found;
    const same = found.filter((one) => one === first || overlap(one, first) > SAME);
    found = found.filter((one) => !same.includes(one));
    const total = same.reduce((sum, { score }) => sum + score, 0);
    const mean = (side) => same.reduce((sum, one) => sum + one.score * one[side], 0) / total;
    const [left, top, right, bottom] = ['left', 'top', 'right', 'bottom'].map(mean);
    kept.push({ left, top, right, bottom, score: first.score });
  }
  return kept;
}

/** Lets the photograph show through in the faces of its painting. */
export function softened(photo, painting, faces, amount) {
  const { width, height } = photo;
  const mask = canvas(width, height);
  const pen = mask.getContext('2d');
  for (const { left, top, right, bottom } of faces) {
    const [wide, tall] = [(right - left) * width, (bottom - top) * height];
    const fading = pen.createRadialGradient(0, 0, INNER, 0, 0, OUTER);
    for (let step = 0; step <= 8; step += 1) {
      const part = 1 - step / 8;
      fading.addColorStop(step / 8, `rgb(0 0 0 / ${GENTLE * amount * part * part * (3 - 2 * part)})`);
    }
    pen.setTransform(WIDE * wide, 0, 0, TALL * tall, ((left + right) / 2) * width, ((top + bottom) / 2) * height - UP * tall);
    pen.fillStyle = fading;
    pen.fillRect(-OUTER, -OUTER, 2 * OUTER, 2 * OUTER);
  }
  return restored(photo, mask, scaled(painting, width, height));
}
