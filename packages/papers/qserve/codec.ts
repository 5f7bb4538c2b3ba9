import type { LayerRows, WeightCodec } from 'loci';
import { quantizePerRow, quantizeProgressive } from './weights.ts';

export interface WeightOptions {
  /** Columns that share a step of level 2; `row` is the variant with one step per row and no level 2. */
  readonly group: 32 | 64 | 128 | 'row';
}

/**
 * QServe's 4-bit weights. In groups they are the progressive ones that the engine multiplies in whole numbers; per row they lie in the
 * layout with a scale and a minimum per 32 columns, which keeps 11 bits of either.
 */
export const qserve = {
  with({ group }: WeightOptions): WeightCodec {
    const name = `qserve:group=${group}`;
    if (group === 'row') return { name, layout: 'q4x32m', encode: perRow };
    return {
      ...{ name, layout: 'progressive', group },
      encode: ({ values, rows, columns }) => quantizeProgressive(values, rows, columns, group),
    };
  },
} as const;

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
