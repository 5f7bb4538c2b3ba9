import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { chunkChoice, chunkScores } from '../../kernels/chunks/reference.ts';
import { boundaryReference } from '../../kernels/gaps/reference.ts';
import { GapRatios } from './labels.ts';
import {
  focalLoss,
  forward,
  mapParameters,
  multiplyReference,
  parameterNames,
  parameterShapes,
} from './predictor/network.ts';

interface Golden {
  readonly shape: readonly [n: number, h: number, g: number, d: number, w: number];
  readonly ratios: readonly number[];
  readonly parameters: readonly string[];
  readonly logits: readonly number[];
  readonly cuts: readonly number[];
  readonly mask: {
    readonly block: number;
    readonly budget: number;
    readonly local: number;
    readonly ends: readonly number[];
    readonly chosen: readonly (readonly number[])[];
  };
  readonly focal: { readonly loss: number; readonly slopes: readonly number[] };
}

const golden: Golden = JSON.parse(readFileSync(new URL('golden/dhsa.json', import.meta.url), 'utf8'));
const [n, h, g, d, w] = golden.shape;
const queries = numbers(1, h * n * d);
const keys = numbers(100_000, g * n * d);
const queryOf = (head: number, t: number) => queries.subarray((head * n + t) * d, (head * n + t + 1) * d);
const keyOf = (head: number, t: number) => keys.subarray((head * n + t) * d, (head * n + t + 1) * d);

/** Uniform from −2 to 2 by a hash of the index: bench/oracles/dhsa.py does the same. */
function numbers(seed: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    let x = (i + seed) >>> 0;
    for (const [shift, factor] of [
      [16, 0x7feb352d],
      [15, 0x846ca68b],
    ] as const) {
      x = Math.imul(x ^ (x >>> shift), factor) >>> 0;
    }
    x = (x ^ (x >>> 16)) >>> 0;
    return (x / 2 ** 32) * 4 - 2;
  });
}

function expectNear(ours: ArrayLike<number>, theirs: readonly number[], tolerance: number): void {
  for (const [i, value] of theirs.entries()) expect(Math.abs((ours[i] ?? Number.NaN) - value)).toBeLessThan(tolerance);
}

test('ratios of attention to both sides of a gap are those of the label maker', () => {
  const maker = new GapRatios(n, w);
  for (let t = n - 1; t >= 0; t--) {
    const mean = new Float64Array(n);
    for (let head = 0; head < h; head++) {
      const query = queryOf(head, t);
      const weights = Array.from({ length: t + 1 }, (_, j) => {
        const key = keyOf(Math.floor((head * g) / h), j);
        return Math.exp(query.reduce((sum, x, c) => sum + x * (key[c] ?? 0), 0) / Math.sqrt(d));
      });
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const [j, weight] of weights.entries()) mean[j] = (mean[j] ?? 0) + weight / total / h;
    }
    maker.add(mean);
  }
  // Gaps that are left out are 0 there.
  expectNear(
    maker.ratios.map((ratio) => (Number.isNaN(ratio) ? 0 : ratio)),
    golden.ratios,
    2e-4,
  );
});

test('logits of the predictor and the boundaries by them are those of the official code', async () => {
  const shape = { c: g * d, heads: 4, w, hidden: 24 } as const;
  expect(golden.parameters).toEqual(parameterNames);
  const shapes = parameterShapes(shape);
  const parameters = mapParameters((name) => {
    const count = shapes[name].reduce((product, size) => product * size, 1);
    const scale = name.includes('norm') ? 1 : 0.15;
    const seed = 1_000_000 * (parameterNames.indexOf(name) + 1);
    return Float64Array.from(numbers(seed, count), (x) => x * scale);
  });
  const whole = Array.from({ length: n }, (_, i) => i).filter((i) => i >= w - 1 && i < n - w);
  const windows = whole.flatMap((gap) =>
    Array.from({ length: 2 * w }, (_, t) =>
      Array.from({ length: g }, (_, head) => [...keyOf(head, gap - w + 1 + t)]).flat(),
    ),
  );
  const { logits } = await forward(shape, parameters, Float64Array.from(windows.flat()), multiplyReference);
  expectNear(
    logits,
    whole.map((gap) => golden.logits[gap] ?? Number.NaN),
    2e-5,
  );
  const ends = boundaryReference(golden.logits, { w, threshold: 0.1, reach: 8, most: 8, together: 0 });
  expect([0, ...ends]).toEqual(golden.cuts);
});

test('keys of a block are those of its best chunks, but for which of the last chunk', () => {
  const { block: rows, budget, local, ends, chosen } = golden.mask;
  const heads = Array.from({ length: g }, (_, head) =>
    Array.from({ length: n }, (_, position) => ({ position, key: keyOf(head, position) })),
  );
  for (const [b, theirs] of chosen.entries()) {
    const positions = Array.from({ length: rows }, (_, i) => b * rows + i);
    const block = {
      positions,
      queries: positions.map((t) => Array.from({ length: h }, (_, head) => queryOf(head, t))),
    };
    const choice = { budget, local, global: 0, window: 0, length: 'root' } as const;
    const ours = chunkChoice(block, heads, ends, choice);
    // Where fewer keys are allowed than are asked for, theirs are filled up with the last one of all.
    const seen = theirs.filter((position) => position < (b + 1) * rows);
    expect(seen).toHaveLength(ours.length);
    const partial = chunkScores(block, heads, ends, choice).filter(({ from, to }) => {
      const within = (some: readonly number[]) => some.filter((position) => position >= from && position < to);
      expect(within(seen)).toHaveLength(within(ours).length);
      return String(within(seen)) !== String(within(ours));
    });
    expect(partial.length).toBeLessThanOrEqual(1);
  }
});

test('focal cross-entropy and its slopes are those of the official loss', () => {
  const logits = Float64Array.from(numbers(77, 12));
  const labels = Array.from(numbers(78, 12), (x) => (x > 0 ? 1 : 0));
  const { loss, slopes } = focalLoss(logits, labels, { gamma: 2, positiveWeight: 1.3 });
  expect(loss).toBeCloseTo(golden.focal.loss, 5);
  expectNear(slopes, golden.focal.slopes, 1e-6);
});
