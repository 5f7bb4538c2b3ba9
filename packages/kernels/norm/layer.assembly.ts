import { address, float, int, rowsAtOnce, take } from '../assembly/args';
import { madd, sum } from '../assembly/simd';

/** Arguments: x [rows, columns], rows, columns (a multiple of 4), weight, bias, epsilon, out [rows, columns] (may be x). */
export function layerNorm(args: usize, counter: usize): void {
  const rows = int(args, 1), step = rowsAtOnce(rows);
  const bytes = <usize>int(args, 2) << 2;
  const x = address(args, 0), weight = address(args, 3), bias = address(args, 4), out = address(args, 6);
  const epsilon = float(args, 5);
  for (let first = take(counter) * step; first < rows; first = take(counter) * step) {
    for (let r = <usize>first, end = <usize>min(first + step, rows); r < end; r++) {
      layerNormRow(x + r * bytes, bytes, weight, bias, epsilon, out + r * bytes);
    }
  }
}

function layerNormRow(x: usize, bytes: usize, weight: usize, bias: usize, epsilon: f32, out: usize): void {
  const count = <f32>(bytes >> 2);
  let total = f32x4.splat(0);
  for (let c: usize = 0; c < bytes; c += 16) total = f32x4.add(total, v128.load(x + c));
  const mean = f32x4.splat(sum(total) / count);
  let squares = f32x4.splat(0);
  for (let c: usize = 0; c < bytes; c += 16) {
    const apart = f32x4.sub(v128.load(x + c), mean);
    squares = madd(apart, apart, squares);
  }
  const factor = f32x4.splat(<f32>1 / sqrt<f32>(sum(squares) / count + epsilon));
  for (let c: usize = 0; c < bytes; c += 16) {
    const y = f32x4.mul(f32x4.sub(v128.load(x + c), mean), factor);
    v128.store(out + c, madd(y, v128.load(weight + c), v128.load(bias + c)));
  }
}
