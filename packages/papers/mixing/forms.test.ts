/** The forms of recurrent mixers beside plain loops, and beside one another, with their derivatives. */
import { Random } from '@loci/evaluate/random';
import * as f from '@loci/lab/arrays';
import { evaluate, gradients, type Tensor } from '@loci/lab/arrays';
import { describe, expect, test } from 'vitest';
import * as based from '../based/forms.ts';
import * as delta from '../baselines/delta-rule/forms.ts';
import * as lightning from '../lightning-attention/forms.ts';

type Form = (q: Tensor, k: Tensor, v: Tensor) => Tensor;
/** Weight of a key, of a query's distance from it and their product, over the sum of them or not. */
interface Definition {
  readonly weight: (dot: number, distance: number, head: number) => number;
  readonly divides: boolean;
}

const slopes = [0, 0.004, 0.5];
const width = 4;
const mixers: Readonly<
  Record<string, { definition: Definition; forms: (chunk: number) => Readonly<Record<string, Form>> }>
> = {
  taylor: {
    definition: { weight: (dot) => 1 + dot / 2 + (dot / 2) ** 2 / 2, divides: true },
    forms: (chunk) => ({
      parallel: based.parallel,
      chunked: (q, k, v) => based.chunked(q, k, v, chunk),
      recurrent: based.recurrent,
    }),
  },
  lightning: {
    definition: { weight: (dot, distance, head) => dot * Math.exp(-(slopes[head] ?? 0) * distance), divides: false },
    forms: (chunk) => ({
      parallel: (q, k, v) => lightning.parallel(q, k, v, slopes),
      chunked: (q, k, v) => lightning.chunked(q, k, v, slopes, chunk),
      recurrent: (q, k, v) => lightning.recurrent(q, k, v, slopes),
    }),
  },
};

function numbersOf(n: number) {
  const random = new Random(`forms ${n}`);
  const some = (count: number) => Float64Array.from({ length: count }, () => 2 * random.real() - 1);
  return { q: some(2 * 3 * n * width), k: some(2 * 3 * n * width), v: some(2 * 3 * n * 5) };
}

/** The definition as a loop in float64. */
function loop(n: number, { q, k, v }: ReturnType<typeof numbersOf>, { weight, divides }: Definition): Float64Array {
  const out = new Float64Array(v.length);
  for (let head = 0; head < 6; head++)
    for (let t = 0; t < n; t++) {
      let total = 0;
      const at = (head * n + t) * 5;
      for (let j = 0; j <= t; j++) {
        let dot = 0;
        for (let c = 0; c < width; c++)
          dot += (q[(head * n + t) * width + c] ?? 0) * (k[(head * n + j) * width + c] ?? 0);
        const w = weight(dot, t - j, head % 3);
        total += w;
        for (let c = 0; c < 5; c++) out[at + c] = (out[at + c] ?? 0) + w * (v[(head * n + j) * 5 + c] ?? 0);
      }
      for (let c = 0; c < 5; c++) out[at + c] = (out[at + c] ?? 0) / (divides ? total : 1);
    }
  return out;
}

function gap(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs((a[i] ?? Number.NaN) - (b[i] ?? Number.NaN)));
  return most;
}

describe.each(Object.entries(mixers))('%s', (_, { definition, forms }) => {
  test.each([1, 5, 8, 21])('all forms are the definition, and their derivatives the same, for %i tokens', (n) => {
    const numbers = numbersOf(n);
    const [q, k, v] = [
      f.parameter('q', [2, 3, n, width]),
      f.parameter('k', [2, 3, n, width]),
      f.parameter('v', [2, 3, n, 5]),
    ];
    const should = loop(n, numbers, definition);
    const outputs = (form: Form) => {
      const y = form(q, k, v);
      const weight = f.constant(
        y.shape,
        Float32Array.from({ length: f.sizeOf(y.shape) }, (_, i) => Math.sin(i)),
      );
      return evaluate([y, ...gradients(f.sumAll(f.mul(y, weight)), [q, k, v])], numbers);
    };
    const reference = outputs(forms(1)['parallel'] ?? (() => q));
    for (const chunk of [1, 7, 16, n])
      for (const [name, form] of Object.entries(forms(chunk))) {
        const [y = [], ...derivatives] = outputs(form);
        // Constants of the map and the decay are float32.
        expect(gap(y, should), `${name}, chunk ${chunk}`).toBeLessThan(2e-6);
        for (const [i, one] of derivatives.entries()) expect(gap(one, reference[i + 1] ?? [])).toBeLessThan(2e-5);
      }
  });
});

test('the Taylor map has the inner product 1 + s + s²/2', () => {
  for (const size of [1, 8, 16]) {
    const random = new Random(`map ${size}`);
    const numbers = {
      q: Array.from({ length: size }, () => random.real() * 4 - 2),
      k: Array.from({ length: size }, () => random.real() * 4 - 2),
    };
    const [q, k] = [f.parameter('q', [1, size]), f.parameter('k', [1, size])];
    const product = f.matmul(based.taylorMap(q), f.transpose(based.taylorMap(k)));
    const s = numbers.q.reduce((sum, x, i) => sum + x * (numbers.k[i] ?? 0), 0) / Math.sqrt(size);
    const should = 1 + s + s ** 2 / 2;
    expect(Math.abs((evaluate([product], numbers)[0]?.[0] ?? 0) - should) / should).toBeLessThan(1e-6);
    expect(based.taylorMap(q).shape).toEqual([1, based.features(size)]);
  }
});

test('decay falls with heads and rises with layers as in the released models', () => {
  expect(lightning.slopesOf(4, 0, 1)).toEqual([1 / 4, 1 / 16, 1 / 64, 1 / 256]);
  expect(lightning.slopesOf(6, 0, 1)).toEqual([1 / 4, 1 / 16, 1 / 64, 1 / 256, 1 / 2, 1 / 8]);
  expect(lightning.slopesOf(2, 2, 3)[0]).toBeCloseTo(1e-5 / 16, 12);
});

test.each([1, 5, 8, 21])(
  'the delta rule is its loop in chunks of any size, and derivatives the same, for %i tokens',
  (n) => {
    const random = new Random(`delta ${n}`);
    const some = (count: number) => Float64Array.from({ length: count }, () => 2 * random.real() - 1);
    const beta = Float64Array.from({ length: 6 * n }, () => random.real());
    // Keys no longer than 1, as those that β is made for.
    const numbers = { ...numbersOf(n), k: some(6 * n * width).map((x) => x / Math.sqrt(width)), beta };
    const [q, k, v, b] = [
      f.parameter('q', [2, 3, n, width]),
      f.parameter('k', [2, 3, n, width]),
      f.parameter('v', [2, 3, n, 5]),
      f.parameter('beta', [2, 3, n, 1]),
    ];
    const outputs = (y: Tensor) =>
      evaluate([y, ...gradients(f.sumAll(f.mul(y, f.affine(y, 1, 0.3))), [q, k, v, b])], numbers);
    const should = deltaLoop(n, numbers);
    const [y = [], ...reference] = outputs(delta.recurrent(q, k, v, b));
    expect(gap(y, should)).toBeLessThan(1e-12);
    for (const chunk of [2, 7, 16, n]) {
      const [other = [], ...derivatives] = outputs(delta.chunked(q, k, v, b, chunk));
      expect(gap(other, should), `chunk ${chunk}`).toBeLessThan(1e-12);
      for (const [i, one] of derivatives.entries()) expect(gap(one, reference[i] ?? [])).toBeLessThan(1e-11);
    }
  },
);

/** S ← S + β k (v − Sᵀ k)ᵀ, o = Sᵀ q, with nothing but numbers. */
function deltaLoop(
  n: number,
  { q, k, v, beta }: Readonly<Record<'q' | 'k' | 'v' | 'beta', Float64Array>>,
): Float64Array {
  const out = new Float64Array(v.length);
  for (let head = 0; head < 6; head++) {
    const state = new Float64Array(width * 5);
    for (let t = head * n; t < (head + 1) * n; t++) {
      for (let e = 0; e < 5; e++) {
        const stored = (by: Float64Array) => {
          let sum = 0;
          for (let c = 0; c < width; c++) sum += (state[c * 5 + e] ?? 0) * (by[t * width + c] ?? 0);
          return sum;
        };
        const change = (beta[t] ?? 0) * ((v[t * 5 + e] ?? 0) - stored(k));
        for (let c = 0; c < width; c++) state[c * 5 + e] = (state[c * 5 + e] ?? 0) + change * (k[t * width + c] ?? 0);
        out[t * 5 + e] = stored(q);
      }
    }
  }
  return out;
}
