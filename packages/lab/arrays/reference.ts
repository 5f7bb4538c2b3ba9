/**
 * Expressions in float64, as plain loops: the definition that every back end is tested against, and what derivatives are
 * checked with by finite differences.
 */
import { type Binary, reachable, sizeOf, stridesOf, type Tensor, type Unary } from './tensor.ts';

/** Numbers of inputs and parameters by name. */
export type Numbers = Readonly<Record<string, ArrayLike<number>>>;

/** @throws RangeError for a name without numbers, or with too few. */
export function evaluate(outputs: readonly Tensor[], numbers: Numbers): readonly Float64Array[] {
  const values = new Map<Tensor, Float64Array>();
  const of = (x: Tensor): Float64Array => {
    const found = values.get(x);
    if (!found) throw new RangeError('an operand comes after its use');
    return found;
  };
  for (const one of reachable(outputs)) values.set(one, compute(one, of, numbers));
  return outputs.map(of);
}

const root = Math.sqrt(2 / Math.PI);
const logistic = (x: number) => 1 / (1 + Math.exp(-x));
const geluArgument = (x: number) => 2 * root * (x + 0.044715 * x ** 3);

const unary: Readonly<Record<Unary, (x: number) => number>> = {
  exp: Math.exp,
  log: Math.log,
  tanh: Math.tanh,
  sigmoid: logistic,
  silu: (x) => x * logistic(x),
  gelu: (x) => x * logistic(geluArgument(x)),
  relu: (x) => Math.max(0, x),
  square: (x) => x * x,
  sqrt: Math.sqrt,
  reciprocal: (x) => 1 / x,
};

const binary: Readonly<Record<Binary, (x: number, y: number) => number>> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  tanhGradient: (x, y) => y * (1 - x * x),
  sigmoidGradient: (x, y) => y * x * (1 - x),
  siluGradient: (x, y) => y * logistic(x) * (1 + x * (1 - logistic(x))),
  geluGradient: (x, y) => {
    const s = logistic(geluArgument(x));
    return y * (s + x * s * (1 - s) * 2 * root * (1 + 3 * 0.044715 * x * x));
  },
  reluGradient: (x, y) => (x > 0 ? y : 0),
};

/** Calls back with the place of every element of `shape` in arrays with these strides. */
function walk(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  visit: (at: readonly number[]) => void,
) {
  const index = new Array<number>(shape.length).fill(0);
  for (let i = sizeOf(shape); i > 0; i--) {
    visit(strides.map((own) => own.reduce((at, stride, axis) => at + stride * (index[axis] ?? 0), 0)));
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] ?? 0) + 1;
      if ((index[axis] ?? 0) < (shape[axis] ?? 0)) break;
      index[axis] = 0;
    }
  }
}

function compute(y: Tensor, of: (x: Tensor) => Float64Array, numbers: Numbers): Float64Array {
  const { op, shape } = y;
  const out = new Float64Array(sizeOf(shape));
  const at = (x: Float64Array, i: number) => x[i] ?? Number.NaN;
  /** out[i] = x at the same index under these strides, from an offset on. */
  const view = (x: Tensor, strides: readonly number[], offset = 0) => {
    const [own, values] = [stridesOf(shape), of(x)];
    walk(shape, [own, strides], ([to = 0, from = 0]) => {
      out[to] = at(values, offset + from);
    });
    return out;
  };
  /** x into out at the index `begin`. */
  const place = (x: Tensor, begin: readonly number[]) => {
    const own = stridesOf(shape);
    const offset = begin.reduce((sum, index, axis) => sum + index * (own[axis] ?? 0), 0);
    const values = of(x);
    walk(x.shape, [own, stridesOf(x.shape)], ([to = 0, from = 0]) => {
      out[offset + to] = at(values, from);
    });
    return out;
  };
  /** Every run along an axis: calls back with where it begins, the distance of its elements and their count. */
  const runs = (x: Tensor, axis: number, visit: (begin: number, step: number, length: number) => void) => {
    const length = x.shape.at(axis) ?? 1;
    const step = stridesOf(x.shape).at(axis) ?? 1;
    for (let i = 0; i < sizeOf(x.shape) / length; i++)
      visit(Math.floor(i / step) * step * length + (i % step), step, length);
  };
  const row = (x: Tensor, r: number) => of(x).subarray(r * (x.shape.at(-1) ?? 1), (r + 1) * (x.shape.at(-1) ?? 1));
  switch (op.kind) {
    case 'input':
    case 'parameter': {
      const given = numbers[op.name];
      if (!given || given.length !== out.length) throw new RangeError(`${op.name} wants ${out.length} numbers`);
      return Float64Array.from(given);
    }
    case 'constant':
      return Float64Array.from(op.values);
    case 'reshape':
      return of(op.x);
    case 'permute': {
      const strides = stridesOf(op.x.shape);
      return view(
        op.x,
        op.axes.map((axis) => strides[axis] ?? 0),
      );
    }
    case 'broadcast': {
      const strides = stridesOf(op.x.shape);
      return view(
        op.x,
        op.x.shape.map((size, i) => (size === shape[i] ? (strides[i] ?? 0) : 0)),
      );
    }
    case 'slice': {
      const strides = stridesOf(op.x.shape);
      return view(
        op.x,
        strides,
        op.begin.reduce((sum, index, i) => sum + index * (strides[i] ?? 0), 0),
      );
    }
    case 'pad':
      return place(op.x, op.begin);
    case 'concat': {
      let begin = 0;
      for (const part of op.parts) {
        place(
          part,
          shape.map((_, i) => (i === op.axis ? begin : 0)),
        );
        begin += part.shape[op.axis] ?? 0;
      }
      return out;
    }
    case 'unary':
      return of(op.x).map(unary[op.f]);
    case 'affine':
      return of(op.x).map((x) => op.scale * x + op.shift);
    case 'binary': {
      const second = of(op.y);
      return of(op.x).map((x, i) => binary[op.f](x, at(second, i)));
    }
    case 'matmul': {
      const [m, n, k] = [shape.at(-2) ?? 1, shape.at(-1) ?? 1, op.x.shape.at(-1) ?? 1];
      const [a, b] = [of(op.x), of(op.y)];
      for (let i = 0; i < out.length; i++) {
        const [batch, r, c] = [Math.floor(i / (m * n)), Math.floor(i / n) % m, i % n];
        let s = 0;
        for (let l = 0; l < k; l++) s += at(a, (batch * m + r) * k + l) * at(b, (batch * k + l) * n + c);
        out[i] = s;
      }
      return out;
    }
    case 'sum': {
      const x = of(op.x);
      let i = 0;
      runs(op.x, op.axis, (begin, step, length) => {
        let s = 0;
        for (let l = 0; l < length; l++) s += at(x, begin + l * step);
        out[i++] = s;
      });
      return out;
    }
    case 'cumsum': {
      const x = of(op.x);
      runs(op.x, op.axis, (begin, step, length) => {
        let s = 0;
        for (let l = 0; l < length; l++) {
          const place = begin + step * (op.reverse ? length - 1 - l : l);
          s += at(x, place);
          out[place] = s;
        }
      });
      return out;
    }
    case 'softmax': {
      const [queries, keys] = [shape.at(-2) ?? 1, shape.at(-1) ?? 1];
      for (let r = 0; r < out.length / keys; r++) {
        const own = (r % queries) + keys - queries;
        const seen = (j: number) => !op.mask.causal || (j <= own && (op.mask.window === 0 || j > own - op.mask.window));
        const scores = Array.from(row(op.x, r), (x, j) => (seen(j) ? op.scale * x : Number.NEGATIVE_INFINITY));
        const top = Math.max(...scores);
        const powers = scores.map((x) => (x === Number.NEGATIVE_INFINITY ? 0 : Math.exp(x - top)));
        const total = powers.reduce((sum, x) => sum + x, 0);
        out.set(
          powers.map((x) => (total === 0 ? 0 : x / total)),
          r * keys,
        );
      }
      return out;
    }
    case 'softmaxGradient': {
      const keys = shape.at(-1) ?? 1;
      for (let r = 0; r < out.length / keys; r++) {
        const [p, dp] = [row(op.y, r), row(op.dy, r)];
        const along = p.reduce((sum, x, j) => sum + x * at(dp, j), 0);
        out.set(
          p.map((x, j) => op.scale * x * (at(dp, j) - along)),
          r * keys,
        );
      }
      return out;
    }
    case 'norm':
    case 'normGradient': {
      const columns = shape.at(-1) ?? 1;
      const meanOf = (x: Float64Array) => x.reduce((sum, value) => sum + value, 0) / columns;
      for (let r = 0; r < out.length / columns; r++) {
        const x = row(op.x, r);
        const shift = op.centred ? meanOf(x) : 0;
        const centred = x.map((value) => value - shift);
        const factor = 1 / Math.sqrt(meanOf(centred.map((value) => value * value)) + op.epsilon);
        const normed = centred.map((value) => value * factor);
        if (op.kind === 'norm') {
          out.set(normed, r * columns);
          continue;
        }
        const dy = row(op.dy, r);
        const slope = op.centred ? meanOf(dy) : 0;
        const along = meanOf(normed.map((value, c) => value * at(dy, c)));
        out.set(
          normed.map((value, c) => factor * (at(dy, c) - slope - value * along)),
          r * columns,
        );
      }
      return out;
    }
    case 'gather':
      of(op.ids).forEach((id, i) => {
        out.set(row(op.table, id), i * (shape.at(-1) ?? 1));
      });
      return out;
    case 'scatter':
      of(op.ids).forEach((id, i) => {
        row(op.x, i).forEach((value, c) => {
          const to = id * (shape.at(-1) ?? 1) + c;
          out[to] = at(out, to) + value;
        });
      });
      return out;
    case 'crossEntropy':
    case 'crossEntropyGradient': {
      const labels = of(op.labels);
      labels.forEach((label, r) => {
        if (label < 0) return;
        const logits = row(op.logits, r);
        const top = logits.reduce((most, x) => Math.max(most, x), Number.NEGATIVE_INFINITY);
        const powers = logits.map((x) => Math.exp(x - top));
        const total = powers.reduce((sum, x) => sum + x, 0);
        if (op.kind === 'crossEntropy') out[r] = Math.log(total) + top - at(logits, label);
        else {
          const dy = at(of(op.dy), r);
          out.set(
            powers.map((x, c) => dy * (x / total - (c === label ? 1 : 0))),
            r * logits.length,
          );
        }
      });
      return out;
    }
    case 'convolve':
    case 'convolveFilterGradient': {
      const [batch = 1, n = 1, channels = 1] = op.x.shape;
      const taps = (op.kind === 'convolve' ? op.filter : y).shape[0] ?? 1;
      const [x, other] = [of(op.x), of(op.kind === 'convolve' ? op.filter : op.dy)];
      const ahead = op.kind === 'convolve' && op.ahead;
      for (let b = 0; b < batch; b++)
        for (let t = 0; t < n; t++)
          for (let j = 0; j < taps; j++) {
            const source = ahead ? t + j : t - j;
            if (source < 0 || source >= n) continue;
            for (let c = 0; c < channels; c++) {
              const [here, there, tap] = [
                (b * n + t) * channels + c,
                (b * n + source) * channels + c,
                j * channels + c,
              ];
              if (op.kind === 'convolve') out[here] = at(out, here) + at(other, tap) * at(x, there);
              else out[tap] = at(out, tap) + at(other, here) * at(x, there);
            }
          }
      return out;
    }
    default:
      return op satisfies never;
  }
}
