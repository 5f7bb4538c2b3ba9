import type { LayerRows, WeightCodec } from 'loci';
import { quantizePerRow, quantizeProgressive } from './weights.ts';

export interface WeightOptions {
  /** Columns that share a step of level 2; `row` is the variant with one step per row and no level 2. */
  readonly group: 32 | 64 | 128 | 'row';
}

/**
 * QServe's 4-bit weights, as rows of the layout with a scale and a minimum per 32 columns: scale = s₀ s₁, minimum = −z s₀ s₁.
 * That layout keeps 11 bits of either, so that a weight is off by up to 2⁻¹¹ of what the paper's integers say.
 */
export const qserve = {
  with: ({ group }: WeightOptions): WeightCodec => ({
    name: `qserve:group=${group}`,
    layout: 'q4x32m',
    encode: (rows) => (group === 'row' ? perRow(rows) : progressive(rows, group)),
  }),
} as const;

function progressive({ values, rows, columns }: LayerRows, group: number) {
  const { q, scale, zero, rowScale } = quantizeProgressive(values, rows, columns, group);
  return affine(q, rows, columns, (row, c) => {
    const g = (row * columns + c) / group;
    const step = (rowScale[row] ?? 0) * (scale[Math.floor(g)] ?? 0);
    return [step, zero[Math.floor(g)] ?? 0];
  });
}

function perRow({ values, rows, columns }: LayerRows) {
  const { q, zero, rowScale } = quantizePerRow(values, rows, columns);
  return affine(q, rows, columns, (row) => [rowScale[row] ?? 0, zero[row] ?? 0]);
}

function affine(q: Uint8Array, rows: number, columns: number, stepAt: (row: number, c: number) => [number, number]) {
  const count = (rows * columns) / 32;
  const [scale, min] = [new Float32Array(count), new Float32Array(count)];
  for (let i = 0; i < count; i++) {
    const [step, zero] = stepAt(Math.floor((32 * i) / columns), (32 * i) % columns);
    scale[i] = step;
    min[i] = -zero * step;
  }
  return { bits: 4, group: 32, q, scale, min } as const;
}
