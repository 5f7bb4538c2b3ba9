import { expect, test } from 'vitest';
import {
  fold,
  type KeyFactors,
  outlierFactors,
  partnerOf,
  product,
  smoothingFactors,
  unpairedFactors,
} from './smooth.ts';

const [heads, kvHeads, headSize, rotated, columns] = [4, 2, 8, 8, 16];

function noise(count: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Rows of a weight times an input, rotated for a position. */
function project(w: Float32Array, x: Float32Array, position: number, pairs: 'neighbours' | 'halves'): Float64Array {
  const y = Float64Array.from({ length: w.length / columns }, (_, r) =>
    x.reduce((sum, value, c) => sum + value * (w[r * columns + c] ?? 0), 0),
  );
  return y.map((value, i) => {
    const c = i % headSize;
    const partner = partnerOf(c, { pairs, rotated });
    const pair = pairs === 'neighbours' ? c >> 1 : c % (rotated / 2);
    const angle = position * 100 ** (-pair / 4);
    const other = y[i - c + partner] ?? 0;
    return value * Math.cos(angle) + (c < partner ? -1 : 1) * other * Math.sin(angle);
  });
}

function scores(q: Float64Array, k: Float64Array): number[] {
  return Array.from({ length: heads }, (_, head) => {
    const group = Math.floor(head / (heads / kvHeads));
    let sum = 0;
    for (let c = 0; c < headSize; c++) sum += (q[head * headSize + c] ?? 0) * (k[group * headSize + c] ?? 0);
    return sum;
  });
}

/** How far scores move, at most, when factors are folded in, piece by piece as loading does. */
function moved(factors: KeyFactors, pairs: 'neighbours' | 'halves'): number {
  const arch = { heads, kvHeads, headSize, rotated, pairs };
  const weights = { q: noise(heads * headSize * columns, 1), k: noise(kvHeads * headSize * columns, 2) };
  const after = { q: weights.q.slice(), k: weights.k.slice() };
  for (const role of ['q', 'k'] as const) {
    for (let first = 0; first < after[role].length / columns; first += 8) {
      const values = after[role].slice(first * columns, (first + 8) * columns);
      fold({ layer: 0, role, first, rows: 8, columns, values }, factors, arch);
      after[role].set(values, first * columns);
    }
  }
  const [x, y] = [noise(columns, 3), noise(columns, 4)];
  const at = (w: typeof weights) => scores(project(w.q, x, 9, pairs), project(w.k, y, 4, pairs));
  const [was, is] = [at(weights), at(after)];
  return Math.max(...is.map((score, head) => Math.abs(score - (was[head] ?? Number.NaN))));
}

test.each(['neighbours', 'halves'] as const)(
  'factors of pairs (%s) leave scores as they are, others do not',
  (pairs) => {
    const arch = { heads, kvHeads, headSize, rotated, pairs };
    const sizes = [noise(kvHeads * headSize, 5).map((x) => Math.abs(x) + 0.1)];
    const smoothed = smoothingFactors(sizes, arch, 0.5);
    expect(moved(smoothed, pairs)).toBeLessThan(1e-5);
    expect(moved(product(smoothed, outlierFactors(sizes, arch, 16)), pairs)).toBeLessThan(1e-5);
    expect(moved(unpairedFactors(sizes, 0.5), pairs)).toBeGreaterThan(1e-2);
  },
);

test('a channel of zeros stays, and channels that are not rotated stand alone', () => {
  const arch = { heads, kvHeads, headSize, rotated: 4, pairs: 'halves' } as const;
  const [row] = smoothingFactors([Float32Array.of(0, 4, 0, 1, 9, 0, 1, 1)], { ...arch, kvHeads: 1 }, 0.5);
  expect(Array.from(row ?? [])).toEqual([1, 2, 1, 2, 3, 1, 1, 1]);
});
