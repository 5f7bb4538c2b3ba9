import { type Bytes8, type Command, command } from '../command.ts';
import { blockBytes, layouts, type Matrix } from './layout.ts';

interface Product {
  readonly matrix: Matrix;
  readonly n: number;
  /** [n, stride] float32, stride a multiple of 8 that is not less than the matrix's rows. */
  readonly out: number;
  readonly stride: number;
  /** Address of `rows` floats (padded to a multiple of 8), or 0. */
  readonly bias?: number;
  /** Add to what `out` holds. */
  readonly accumulate?: boolean;
  readonly join?: boolean;
}

/**
 * Bytes of weights that a thread takes at a time, at most, for one token and for many. A piece that is begun costs about a
 * microsecond until memory streams: little of the time of many tokens, but much of one's.
 */
const itemBytes = { one: 786_432, many: 12_288 } as const;
/** Bytes of scratch memory that a product with bytes needs per thread; most of it is for the build without relaxed SIMD. */
export const matmulScratch = 64 * 6 * 32 + 131_072;

/** out [n, rows] (+)= x [n, columns] · Wᵀ + bias with x in 8 bits; any layout but `f32`, `columns` a multiple of 32. */
export function matmul(x: Bytes8, product: Product): Command {
  const { matrix } = product;
  const bytes = Math.max(itemBytes.many, itemBytes.one / product.n);
  const blocks = Math.max(1, Math.round(bytes / blockBytes(matrix.layout, matrix.columns)));
  return command('matmul', [...words(product, x.q, x.meta), blocks], product.join);
}

/** The same with x [n, columns] in float32: the definition in single precision, for every layout. */
export function matmulFloat(x: number, product: Product): Command {
  return command('matmulFloat', words(product, x, 0), product.join);
}

function words({ matrix, n, out, stride, bias, accumulate }: Product, x: number, meta: number): number[] {
  const layout = layouts.indexOf(matrix.layout);
  const { address, rows, columns } = matrix;
  return [address, layout, rows, columns, x, meta, n, out, stride, bias ?? 0, accumulate ? 1 : 0];
}
