/**
 * The optimiser of a polish on arrays, as in the core's polishing/muon.py: Muon for convolutions,
 * Adam for all else. Its numbers also come from the core, in the recipe's `optimiser`.
 *
 * A tensor is { data: Float32Array, dims }; several are a Map by name.
 */

/** Factor of the learning rate: a short rise, then half a cosine down to zero. */
export function schedule(step, steps, rise) {
  const part = (step + 1) / steps;
  return part < rise ? part / rise : 0.5 + 0.5 * Math.cos((Math.PI * (part - rise)) / (1 - rise));
}

/** Returns the norm of all tensors together. */
export function norm(tensors) {
  let sum = 0;
  for (const { data } of tensors.values()) for (const value of data) sum += value * value;
  return Math.sqrt(sum);
}

/** Changes weights with gradients, and remembers what it needs of them. */
export class Optimiser {
  constructor(numbers) {
    this.numbers = numbers;
    this.memory = new Map();
  }

  /** Takes a step. `weights` is a Map, too, in which tensors are replaced. */
  step(weights, gradients, rate) {
    const { clip, tiny_clip: tiny } = this.numbers;
    const factor = Math.min(1, clip / (norm(gradients) + tiny));
    for (const [name, { data, dims }] of gradients) {
      const gradient = data.map((value) => value * factor);
      const own = this.memory.get(name) ?? this.memory.set(name, {}).get(name);
      const alone = dims.length < 4 || dims[1] === 1;
      const change = alone ? this.adam(gradient, own) : this.muon(gradient, dims[0], own);
      const before = weights.get(name);
      weights.set(name, { ...before, data: before.data.map((value, at) => value - rate * change[at]) });
    }
  }

  muon(gradient, rows, own) {
    const { momentum, scale } = this.numbers;
    own.momentum = own.momentum?.map((value, at) => value * momentum + gradient[at]) ?? gradient.slice();
    const ahead = gradient.map((value, at) => value + own.momentum[at] * momentum);
    const columns = ahead.length / rows;
    const factor = scale * Math.sqrt(Math.max(rows, columns));
    return orthogonal(ahead, rows, columns, this.numbers).map((value) => value * factor);
  }

  adam(gradient, own) {
    const { betas: [one, two], eps } = this.numbers;
    own.count = (own.count ?? 0) + 1;
    own.mean ??= new Float32Array(gradient.length);
    own.square ??= new Float32Array(gradient.length);
    return gradient.map((value, at) => {
      own.mean[at] += (value - own.mean[at]) * (1 - one);
      own.square[at] += (value * value - own.square[at]) * (1 - two);
      const square = own.square[at] / (1 - two ** own.count);
      return own.mean[at] / (1 - one ** own.count) / (Math.sqrt(square) + eps);
    });
  }
}

/** Returns nearly the orthogonal matrix nearest to one: its singular values become 0.7 to 1.2. */
export function orthogonal(matrix, rows, columns, numbers) {
  if (rows > columns) {
    return transposed(orthogonal(transposed(matrix, rows, columns), columns, rows, numbers), columns, rows);
  }
  const { quintic: [a, b, c], iterations, tiny_norm: tiny } = numbers;
  const size = norm(new Map([['', { data: matrix }]])) + tiny;
  let x = matrix.map((value) => value / size);
  for (let n = 0; n < iterations; n += 1) {
    const square = product(x, transposed(x, rows, columns), rows);
    const fourth = product(square, square, rows);
    const more = product(square.map((value, at) => b * value + c * fourth[at]), x, rows);
    x = x.map((value, at) => a * value + more[at]);
  }
  return x;
}

function transposed(matrix, rows, columns) {
  const turned = new Float32Array(matrix.length);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) turned[column * rows + row] = matrix[row * columns + column];
  }
  return turned;
}

/** Multiplies two matrices; the first has so many rows. */
function product(left, right, rows) {
  const inner = left.length / rows;
  const columns = right.length / inner;
  const result = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row += 1) {
    const line = result.subarray(row * columns, (row + 1) * columns);
    for (let k = 0; k < inner; k += 1) {
      const factor = left[row * inner + k];
      const from = k * columns;
      for (let column = 0; column < columns; column += 1) line[column] += factor * right[from + column];
    }
  }
  return result;
}
