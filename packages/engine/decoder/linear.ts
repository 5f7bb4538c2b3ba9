import { type Bytes8, type Command, type Matrix, matmul, matmulFloat, norm } from '@loci/kernels';
import type { Vector } from './weights.ts';
import { inputForms, type Precision } from './workspace.ts';

/** An intermediate result in the two forms that products take; which are filled depends on the precision. */
export interface Rows {
  readonly float: number;
  readonly bytes: Bytes8;
}

interface Into {
  readonly out: number;
  readonly bias?: Vector | undefined;
  readonly accumulate?: boolean;
  readonly join?: boolean;
}

/** out [n, rows] (+)= x [n, columns] · Wᵀ (+ bias) under the given precision. */
export function linear(precision: Precision, x: Rows, n: number, matrix: Matrix, into: Into): Command {
  const { out, bias, accumulate = false, join = true } = into;
  const stride = Math.ceil(matrix.rows / 8) * 8;
  const product = { matrix, n, out, stride, bias: bias?.address ?? 0, accumulate, join };
  return inputForms(precision, [matrix]).float ? matmulFloat(x.float, product) : matmul(x.bytes, product);
}

/** Norm of [n, columns] into the forms that `consumers` take. */
export function normFor(
  precision: Precision,
  consumers: readonly Matrix[],
  x: number,
  n: number,
  weight: Vector,
  epsilon: number,
  into: Rows,
): Command {
  const { float, bytes } = inputForms(precision, consumers);
  const columns = weight.length;
  return norm({
    x,
    stride: columns,
    rows: n,
    columns,
    weight: weight.address,
    epsilon,
    ...(float && { out: into.float }),
    ...(bytes && { bytes: into.bytes }),
  });
}
