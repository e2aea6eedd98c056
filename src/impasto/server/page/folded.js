/** The weights of a network as an exported one has them; see the core's polishing/folded.py. */

/** Adds those weights to a Map that have another value in an exported network. */
export function exported(weights, { input, output, rounded, taps }) {
  const [stem, stemBias, out, outBias] = ['stem.weight', 'stem.bias', 'out.conv.weight', 'out.conv.bias']
    .map((name) => weights.get(name).data);
  const each = stem.length / stemBias.length;
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const add = (name, data) => [`export.${name}`, { data }];
  return new Map([
    ...weights,
    add('stem.weight', stem.map((value) => value * input)),
    add('stem.bias', stemBias.map((value, at) => value - sum(stem.subarray(at * each, (at + 1) * each)))),
    add('out.weight', enlarging(out, outBias.length, taps).map((value) => value * output)),
    add('out.bias', Float32Array.from({ length: 4 * outBias.length }, (_, at) => outBias[at % outBias.length] * output + rounded)),
  ]);
}

/** Folds an enlargement into the 3 by 3 kernel after it; the result gives four sub-pixels. */
function enlarging(weight, outputs, taps) {
  const kernels = weight.length / 9; // of all outputs and inputs
  const inputs = kernels / outputs;
  const result = new Float32Array(4 * weight.length);
  for (let kernel = 0; kernel < kernels; kernel += 1) {
    const [o, i] = [Math.floor(kernel / inputs), kernel % inputs];
    for (let at = 0; at < 36; at += 1) {
      const [pixel, tap] = [Math.floor(at / 9), at % 9];
      let sum = 0;
      for (let k = 0; k < 9; k += 1) sum += weight[9 * kernel + k] * taps[k][at];
      result[9 * ((pixel * outputs + o) * inputs + i) + tap] = sum;
    }
  }
  return result;
}
