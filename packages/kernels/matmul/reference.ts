import type { AffineRows } from './layout.ts';

/** The numbers that packed rows stand for, [rows, columns]: scale · q + min. */
export function affineReference({ group, q, scale, min }: AffineRows): Float64Array {
  return Float64Array.from(q, (value, i) => {
    const at = Math.floor(i / group);
    return (scale[at] ?? Number.NaN) * value + (min[at] ?? Number.NaN);
  });
}

interface Product {
  readonly n: number;
  readonly rows: number;
  readonly columns: number;
  /** [rows] */
  readonly bias?: ArrayLike<number>;
  /** [n, rows], added to. */
  readonly out?: ArrayLike<number>;
}

/** out [n, rows] (+)= x [n, columns] · w [rows, columns]ᵀ + bias. */
export function matmulReference(x: ArrayLike<number>, w: ArrayLike<number>, product: Product): Float64Array {
  const { n, rows, columns, bias, out } = product;
  const result = new Float64Array(n * rows);
  for (let t = 0; t < n; t++) {
    for (let r = 0; r < rows; r++) {
      let sum = (bias?.[r] ?? 0) + (out?.[t * rows + r] ?? 0);
      for (let c = 0; c < columns; c++) sum += x[t * columns + c]! * w[r * columns + c]!;
      result[t * rows + r] = sum;
    }
  }
  return result;
}
