/**
 * White paper and black bars stay as light and as dark as they were, as in the core's
 * images/paper.py.
 */

const CELLS = 48; // along each side
const FULL = 0.9; // share of a cell that makes it paper
const MUCH = 0.25; // share of the cells that makes a picture a page
const WHITE = 250;
const BLACK = 5;

/**
 * Gives paper in the painting its mean lightness back, linear between the middles of cells. Both
 * are ImageData of one size. False means that the photograph is no page, and nothing has changed.
 */
export function kept({ data: photo, width, height }, { data: painting }) {
  const columns = Math.min(CELLS, width);
  const rows = Math.min(CELLS, height);
  const areas = new Float64Array(rows * columns);
  const paper = new Float64Array(rows * columns);
  const apart = new Float64Array(rows * columns);
  for (let y = 0, at = 0; y < height; y += 1) {
    const row = Math.floor((y * rows) / height) * columns;
    for (let x = 0; x < width; x += 1, at += 4) {
      const cell = row + Math.floor((x * columns) / width);
      const [red, green, blue] = [photo[at], photo[at + 1], photo[at + 2]];
      areas[cell] += 1;
      paper[cell] += Math.min(red, green, blue) >= WHITE || Math.max(red, green, blue) <= BLACK;
      apart[cell] +=
        0.299 * (red - painting[at]) + 0.587 * (green - painting[at + 1]) + 0.114 * (blue - painting[at + 2]);
    }
  }
  const shares = paper.map((count, cell) => count / areas[cell]);
  if (shares.filter((share) => share > FULL).length < MUCH * shares.length) return false;
  const rise = shares.map((share, cell) => {
    const part = Math.min(1, Math.max(0, (share - 0.5) / (FULL - 0.5)));
    return (part * apart[cell]) / areas[cell];
  });
  const across = between(columns, width);
  const down = between(rows, height);
  for (let y = 0, at = 0; y < height; y += 1) {
    const [above, below, part] = down[y];
    for (let x = 0; x < width; x += 1, at += 4) {
      const [left, right, share] = across[x];
      const row = (cell) => rise[cell * columns + left] * (1 - share) + rise[cell * columns + right] * share;
      const change = row(above) * (1 - part) + row(below) * part;
      for (let n = 0; n < 3; n += 1) painting[at + n] += change; // rounded, and clamped
    }
  }
  return true;
}

/**
 * Returns, for each place along a side, the cells with middles before and after it, and how far it
 * is between them.
 */
function between(cells, side) {
  const last = cells - 1;
  return Array.from({ length: side }, (_, place) => {
    const at = Math.min(last, Math.max(0, ((place + 0.5) * cells) / side - 0.5));
    const first = Math.floor(at);
    return [first, Math.min(last, first + 1), at - first];
  });
}
