// AssemblyScript. What kernels know of a matrix of progressive weights (index.ts).

/** Rows of a block. */
// @ts-ignore: decorator
@inline export const ROWS: i32 = 4;

// @ts-ignore: decorator
@inline export function tileBytes(group: i32): usize {
  return <usize>(2 * group + 2 * ROWS);
}

/** The rows' factors, then a tile for every group. */
// @ts-ignore: decorator
@inline export function blockBytes(columns: i32, group: i32): usize {
  return 16 + <usize>(columns / group) * tileBytes(group);
}

/** out (+)= sums · the factors of a block's rows · scale + bias */
// @ts-ignore: decorator
@inline export function finish(block: usize, sums: v128, scale: v128, out: usize, bias: usize, accumulate: bool): void {
  let y = f32x4.mul(sums, f32x4.mul(v128.load(block), scale));
  if (bias) y = f32x4.add(y, v128.load(bias));
  if (accumulate) y = f32x4.add(y, v128.load(out));
  v128.store(out, y);
}
