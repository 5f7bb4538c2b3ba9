import { Encoder } from '@loci/device';
import { Random } from '@loci/evaluate';
import { mergeParts } from '@loci/kernels';
import type { Model } from 'loci';
import { withHost } from './host.ts';

const [rows, d, keys] = [9, 64, 300] as const;

/**
 * Largest gap between softmax over the union of two sets of keys and what the engine makes of the two sets' softmaxes: the largest
 * score, the denominator and the weighted sum of each. The second set's scores are `below` lower; it may be empty.
 */
export async function mergedGap(model: Model, below: number, isEmpty: boolean): Promise<number> {
  return await withHost(model, async ({ device }) => {
    const random = new Random(`merge ${below} ${isEmpty}`);
    const normal = () => random.normal();
    const values = Array.from({ length: keys }, () => Float64Array.from({ length: d }, normal));
    const scores = Array.from({ length: rows }, () =>
      Float64Array.from({ length: keys }, (_, key) => 3 * normal() - (key % 2 ? below : 0)),
    );
    const parts = [0, 1].map((set) =>
      scores.map((row) => partOf(row, values, (key) => key % 2 === set && !(set === 1 && isEmpty))),
    );
    const expected = scores.map((row) => {
      const { sum, total } = partOf(row, values, (key) => key % 2 === 0 || !isEmpty);
      return sum.map((value) => value / total);
    });
    const partials = device.allocate(4 * rows * 2 * (d + 2));
    const out = device.allocate(4 * rows * d);
    try {
      for (let row = 0; row < rows; row++) {
        for (const [set, part] of parts.entries()) {
          const { most, total, sum } = part[row] ?? { most: 0, total: 0, sum: new Float64Array(d) };
          // Scores of the engine are powers of two.
          device.floats(partials + 4 * (row * 2 + set) * (d + 2), d + 2).set([most * Math.LOG2E, total, ...sum]);
        }
      }
      const unused = {
        queries: 0,
        heads: 0,
        slots: 0,
        positions: 0,
        scale: 1,
        window: 0,
        format: 'f32',
        mayRound: false,
      } as const;
      const merge = mergeParts({ ...unused, partials, out, n: 1, h: rows, g: 1, d }, 2);
      const encoder = new Encoder();
      if (merge) encoder.record(merge);
      await device.run(encoder);
      const found = device.floats(out, rows * d);
      return expected.reduce(
        (most, row, i) =>
          row.reduce((gap, value, c) => Math.max(gap, Math.abs(value - (found[i * d + c] ?? Number.NaN))), most),
        0,
      );
    } finally {
      device.free(partials);
      device.free(out);
    }
  });
}

/** Softmax over some keys: largest score, denominator and sum of weighted values. */
function partOf(scores: Float64Array, values: readonly Float64Array[], isIn: (key: number) => boolean) {
  const own = [...scores.keys()].filter(isIn);
  const most = own.reduce((top, key) => Math.max(top, scores[key] ?? 0), Number.NEGATIVE_INFINITY);
  let total = 0;
  const sum = new Float64Array(d);
  for (const key of own) {
    const weight = Math.exp((scores[key] ?? 0) - most);
    total += weight;
    for (let c = 0; c < d; c++) sum[c] = (sum[c] ?? 0) + weight * (values[key]?.[c] ?? 0);
  }
  return { most, total, sum };
}
