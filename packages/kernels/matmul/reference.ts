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
  return new Float64Array(n * rows).map((_, i) => {
    const t = Math.floor(i / rows);
    const r = i % rows;
    let sum = (bias?.[r] ?? 0) + (out?.[i] ?? 0);
    for (let c = 0; c < columns; c++) sum += (x[t * columns + c] ?? Number.NaN) * (w[r * columns + c] ?? Number.NaN);
    return sum;
  });
}
