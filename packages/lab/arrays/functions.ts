/**
 * The functions that models and mixers are written with. All are pure: they take expressions and give expressions.
 * Shapes are checked here; what does not fit throws a RangeError that names the shapes.
 */
import { type Mask, sameShape, sizeOf, type Tensor, tensor, type Unary } from './tensor.ts';

const wrong = (what: string, ...tensors: readonly Tensor[]): RangeError =>
  new RangeError(`${what}: shapes ${tensors.map(({ shape }) => `[${shape.join(', ')}]`).join(' and ')}`);

export const dimension = (x: Tensor, axis: number): number => {
  const size = x.shape.at(axis);
  if (size === undefined) throw wrong(`there is no axis ${axis}`, x);
  return size;
};

const axisOf = (x: Tensor, axis: number): number => {
  dimension(x, axis);
  return axis < 0 ? axis + x.shape.length : axis;
};

export function input(name: string, shape: readonly number[], type: 'float' | 'int' = 'float'): Tensor {
  return tensor(shape, { kind: 'input', name, type });
}

export function parameter(name: string, shape: readonly number[]): Tensor {
  return tensor(shape, { kind: 'parameter', name });
}

export function constant(shape: readonly number[], values: ArrayLike<number>): Tensor {
  const x = tensor(shape, { kind: 'constant', values: Float32Array.from(values) });
  if (sizeOf(shape) !== values.length) throw wrong(`${values.length} numbers do not fill it`, x);
  return x;
}

/** The same numbers in another shape; one size may be −1. */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  const known = shape.reduce((product, size) => (size < 0 ? product : product * size), 1);
  const full = shape.map((size) => (size < 0 ? sizeOf(x.shape) / known : size));
  if (sizeOf(full) !== sizeOf(x.shape)) throw wrong(`cannot become [${shape.join(', ')}]`, x);
  return sameShape(full, x.shape) ? x : tensor(full, { kind: 'reshape', x });
}

export function permute(x: Tensor, axes: readonly number[]): Tensor {
  if (axes.length !== x.shape.length || new Set(axes).size !== axes.length) throw wrong(`permute by ${axes}`, x);
  return tensor(
    axes.map((axis) => dimension(x, axis)),
    { kind: 'permute', x, axes },
  );
}

/** Exchanges the last two axes. */
export function transpose(x: Tensor): Tensor {
  const rank = x.shape.length;
  return permute(x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
}

/** Repeats what has size 1 or no axis at all. */
export function broadcast(x: Tensor, shape: readonly number[]): Tensor {
  const padded = reshape(x, [...Array(shape.length - x.shape.length).fill(1), ...x.shape]);
  if (sameShape(padded.shape, shape)) return padded;
  if (padded.shape.some((size, i) => size !== 1 && size !== shape[i]))
    throw wrong(`cannot be repeated to [${shape.join(', ')}]`, x);
  return tensor(shape, { kind: 'broadcast', x: padded });
}

/** Elements `begin` up to `end` along an axis. */
export function slice(x: Tensor, axis: number, begin: number, end: number): Tensor {
  const at = axisOf(x, axis);
  if (begin < 0 || end > dimension(x, at) || begin > end) throw wrong(`slice ${begin} to ${end} of axis ${axis}`, x);
  const shape = x.shape.map((size, i) => (i === at ? end - begin : size));
  return tensor(shape, { kind: 'slice', x, begin: x.shape.map((_, i) => (i === at ? begin : 0)) });
}

/** x at `begin` of an array of zeros. */
export function pad(x: Tensor, shape: readonly number[], begin: readonly number[]): Tensor {
  if (x.shape.some((size, i) => (begin[i] ?? -1) < 0 || (begin[i] ?? 0) + size > (shape[i] ?? 0)))
    throw wrong(`cannot stand at ${begin} of [${shape.join(', ')}]`, x);
  return tensor(shape, { kind: 'pad', x, begin });
}

export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const [first] = parts;
  if (!first) throw new RangeError('nothing to join');
  const at = axisOf(first, axis);
  const rest = (x: Tensor) => x.shape.filter((_, i) => i !== at);
  if (parts.some((part) => !sameShape(rest(part), rest(first)))) throw wrong('cannot be joined', ...parts);
  const total = parts.reduce((sum, part) => sum + dimension(part, at), 0);
  return tensor(
    first.shape.map((size, i) => (i === at ? total : size)),
    { kind: 'concat', parts, axis: at },
  );
}

const unary =
  (f: Unary) =>
  (x: Tensor): Tensor =>
    tensor(x.shape, { kind: 'unary', f, x });

export const exp = unary('exp');
export const log = unary('log');
export const tanh = unary('tanh');
export const sigmoid = unary('sigmoid');
/** x · sigmoid(x). */
export const silu = unary('silu');
/** The approximation by a hyperbolic tangent (Hendrycks and Gimpel 2016). */
export const gelu = unary('gelu');
export const relu = unary('relu');
export const square = unary('square');
export const sqrt = unary('sqrt');
export const reciprocal = unary('reciprocal');

/** scale · x + shift. */
export function affine(x: Tensor, scale: number, shift = 0): Tensor {
  return scale === 1 && shift === 0 ? x : tensor(x.shape, { kind: 'affine', x, scale, shift });
}

const binary =
  (f: 'add' | 'sub' | 'mul' | 'div') =>
  (x: Tensor, y: Tensor): Tensor => {
    const rank = Math.max(x.shape.length, y.shape.length);
    const shape = Array.from({ length: rank }, (_, i) => {
      const [a, b] = [x.shape[x.shape.length - rank + i] ?? 1, y.shape[y.shape.length - rank + i] ?? 1];
      if (a !== b && a !== 1 && b !== 1) throw wrong(f, x, y);
      return a === 1 ? b : a;
    });
    return tensor(shape, { kind: 'binary', f, x: broadcast(x, shape), y: broadcast(y, shape) });
  };

/** Element by element, repeating axes of size 1 and missing ones. */
export const add = binary('add');
export const sub = binary('sub');
export const mul = binary('mul');
export const div = binary('div');

/** y where x is above 0, and 0 elsewhere. It has no derivative by x. */
export function where(x: Tensor, y: Tensor): Tensor {
  const shape = mul(x, y).shape;
  return tensor(shape, { kind: 'binary', f: 'reluGradient', x: broadcast(x, shape), y: broadcast(y, shape) });
}

/** [batch …, m, k] · [batch …, k, n], or · [k, n] for all. */
export function matmul(x: Tensor, y: Tensor): Tensor {
  const [m, k, n] = [dimension(x, -2), dimension(x, -1), dimension(y, -1)];
  const batch = x.shape.slice(0, -2);
  if (dimension(y, -2) !== k) throw wrong('cannot be multiplied', x, y);
  if (y.shape.length === 2 && batch.length > 0) {
    return reshape(tensor([sizeOf(batch) * m, n], { kind: 'matmul', x: reshape(x, [-1, k]), y }), [...batch, m, n]);
  }
  if (!sameShape(batch, y.shape.slice(0, -2))) throw wrong('cannot be multiplied', x, y);
  return tensor([...batch, m, n], { kind: 'matmul', x, y });
}

/** Σ along an axis, which stays with size 1. */
export function sum(x: Tensor, axis: number): Tensor {
  const at = axisOf(x, axis);
  return tensor(
    x.shape.map((size, i) => (i === at ? 1 : size)),
    { kind: 'sum', x, axis: at },
  );
}

/** Σ of everything, as an array without axes. */
export function sumAll(x: Tensor): Tensor {
  return reshape(sum(reshape(x, [-1]), 0), []);
}

export function mean(x: Tensor, axis: number): Tensor {
  return affine(sum(x, axis), 1 / dimension(x, axis));
}

/** Σ up to and with each element along an axis, or from it on. */
export function cumsum(x: Tensor, axis: number, reverse = false): Tensor {
  return tensor(x.shape, { kind: 'cumsum', x, axis: axisOf(x, axis), reverse });
}

/** Softmax of scale · x [… queries, keys] over the keys; what the mask hides is 0. */
export function softmax(x: Tensor, { scale = 1, causal = false, window = 0 }: Partial<Mask> & { scale?: number } = {}) {
  if (window < 0 || (window > 0 && !causal)) throw new RangeError(`a window of ${window} keys wants a causal mask`);
  if (!(scale > 0)) throw new RangeError(`the scale of a softmax is ${scale}; it must be above 0`);
  if (causal && dimension(x, -2) > dimension(x, -1)) throw wrong('more queries than keys', x);
  return tensor(x.shape, { kind: 'softmax', x, scale, mask: { causal, window } });
}

/** (x − mean) / √(variance + ε) along the last axis. */
export function layerNorm(x: Tensor, epsilon = 1e-5): Tensor {
  return tensor(x.shape, { kind: 'norm', x, epsilon, centred: true });
}

/** x / √(mean x² + ε) along the last axis. */
export function rmsNorm(x: Tensor, epsilon = 1e-6): Tensor {
  return tensor(x.shape, { kind: 'norm', x, epsilon, centred: false });
}

/** Rows of a table [rows, columns] by number: [… of ids, columns]. */
export function gather(table: Tensor, ids: Tensor): Tensor {
  if (table.shape.length !== 2) throw wrong('a table has two axes', table);
  return tensor([...ids.shape, dimension(table, 1)], { kind: 'gather', table, ids });
}

/** −log softmax(logits)[label] of each row, and 0 where the label is negative. logits [rows, v], labels [rows]. */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  if (logits.shape.length !== 2 || !sameShape(labels.shape, [dimension(logits, 0)]))
    throw wrong('rows of logits and labels', logits, labels);
  return tensor(labels.shape, { kind: 'crossEntropy', logits, labels });
}

/** Causal convolution with a filter per channel: out[t] = Σ filter[j] ⊙ x[t − j]; x [batch, n, channels], filter [taps, channels]. */
export function convolve(x: Tensor, filter: Tensor): Tensor {
  if (x.shape.length !== 3 || filter.shape.length !== 2 || dimension(x, 2) !== dimension(filter, 1))
    throw wrong('convolve', x, filter);
  if (dimension(x, 2) % 4 !== 0) throw wrong('channels must be a multiple of 4', x);
  return tensor(x.shape, { kind: 'convolve', x, filter, ahead: false });
}
