import {
  type ByteRows,
  type Bytes8,
  type Command,
  layerNorm,
  matmul,
  matmulFloat,
  norm,
  progressive,
  progressiveFloat,
  quantize,
  quantizeRows,
} from '@loci/kernels';
import type { LayerMatrix, Vector } from './weight-loader.ts';
import type { NormWeights } from './weights.ts';
import { inputForms, type Precision } from './workspace.ts';

/** An intermediate result in the forms that products take; which are filled depends on the precision and the weights. */
export interface Rows {
  readonly float: number;
  readonly bytes: Bytes8;
  /** With one scale per row. */
  readonly rows: ByteRows;
}

interface Into {
  readonly out: number;
  readonly bias?: Vector | undefined;
  readonly accumulate?: boolean;
  readonly join?: boolean;
}

/** out [n, rows] (+)= x [n, columns] · Wᵀ (+ bias) under the given precision. */
export function linear(precision: Precision, x: Rows, n: number, matrix: LayerMatrix, into: Into): Command {
  const { out, bias, accumulate = false, join = true } = into;
  const stride = Math.ceil(matrix.rows / 8) * 8;
  const to = { n, out, stride, bias: bias?.address ?? 0, accumulate, join };
  const { float } = inputForms(precision, [matrix]);
  if (matrix.layout === 'progressive') {
    return float ? progressiveFloat(x.float, { matrix, ...to }) : progressive(x.rows, { matrix, ...to });
  }
  return float ? matmulFloat(x.float, { matrix, ...to }) : matmul(x.bytes, { matrix, ...to });
}

/** Norm of [n, columns] into the forms that `consumers` take, and into floats where they are wanted by others too. */
export function normFor(
  precision: Precision,
  consumers: readonly LayerMatrix[],
  x: number,
  n: number,
  { weight, bias }: NormWeights,
  epsilon: number,
  into: Rows,
  floats = false,
): readonly Command[] {
  const forms = inputForms(precision, consumers);
  const columns = weight.length;
  if (bias) {
    const factors = { weight: weight.address, bias: bias.address, epsilon };
    const normed = layerNorm({ x, rows: n, columns, ...factors, out: into.float });
    return [normed, ...rounded(precision, consumers, n, columns, into)];
  }
  const normed = norm({
    ...{ x, stride: columns, rows: n, columns, weight: weight.address, epsilon },
    ...((floats || forms.float || forms.rows !== undefined) && { out: into.float }),
    ...(forms.bytes && { bytes: into.bytes }),
  });
  return [normed, ...roundRows(forms.rows, n, columns, into)];
}

/** The forms in 8 bits that `consumers` take of floats [n, columns] that are there. */
export function rounded(
  precision: Precision,
  consumers: readonly LayerMatrix[],
  n: number,
  columns: number,
  into: Rows,
): readonly Command[] {
  const forms = inputForms(precision, consumers);
  const bytes = forms.bytes ? [quantize({ x: into.float, stride: columns, rows: n, columns }, into.bytes)] : [];
  return [...bytes, ...roundRows(forms.rows, n, columns, into)];
}

/** Rounds rows with a scale each where there are groups for it. */
export function roundRows(group: number | undefined, n: number, columns: number, { float, rows }: Rows): Command[] {
  return group === undefined ? [] : [quantizeRows({ x: float, stride: columns, rows: n, columns, group }, rows)];
}
