/** Pictures in the browser: shrunk, mixed, encoded. */
import { make, problem } from './dom.js';

export function canvas(width, height) {
  return make('canvas', { width, height });
}

/** Returns width and height with a long side of at most `side`. */
export function fit(width, height, side) {
  const part = Math.min(1, side / Math.max(width, height));
  return [width, height].map((length) => Math.max(1, Math.round(length * part)));
}

/** Draws `source` at another size. It halves it until it is near, because one big step aliases. */
export function scaled(source, width, height, from = [source.width, source.height]) {
  let [w, h] = from;
  do {
    const half = w >= 2 * width && h >= 2 * height;
    [w, h] = half ? [w >> 1, h >> 1] : [width, height];
    const next = canvas(w, h);
    const pen = next.getContext('2d');
    pen.imageSmoothingQuality = half ? 'low' : 'high'; // low is the mean of 2 by 2, and quick
    pen.drawImage(source, 0, 0, w, h);
    source = next;
  } while (w !== width || h !== height);
  return source;
}

/**
 * Lays as much of `painting` over `photo` as `strength` says; transparency stays the photograph's.
 */
export function mixed(photo, painting, strength, onto = canvas(photo.width, photo.height)) {
  const { width, height } = onto;
  const pen = onto.getContext('2d');
  pen.clearRect(0, 0, width, height);
  pen.imageSmoothingQuality = 'high';
  pen.drawImage(photo, 0, 0, width, height);
  if (painting) {
    pen.globalAlpha = strength;
    pen.globalCompositeOperation = 'source-atop';
    pen.drawImage(painting, 0, 0, width, height);
    pen.globalAlpha = 1;
    pen.globalCompositeOperation = 'source-over';
  }
  return onto;
}

/** Lays the photograph over its painting where `kept` is opaque. */
export function restored(photo, kept, onto) {
  const part = scaled(photo, onto.width, onto.height);
  const pen = part.getContext('2d');
  pen.globalCompositeOperation = 'destination-in';
  pen.imageSmoothingQuality = 'high';
  pen.drawImage(kept, 0, 0, onto.width, onto.height);
  onto.getContext('2d').drawImage(part, 0, 0);
  return onto;
}

export function opaque(picture) {
  const small = scaled(picture, ...fit(picture.width, picture.height, 96));
  const { data } = small.getContext('2d').getImageData(0, 0, small.width, small.height);
  return data.every((value, index) => index % 4 < 3 || value === 255);
}

export function encoded(picture, type) {
  return new Promise((resolve, reject) => {
    const done = (blob) => (blob ? resolve(blob) : reject(problem('This picture is too large.')));
    picture.toBlob(done, type, 0.95);
  });
}
