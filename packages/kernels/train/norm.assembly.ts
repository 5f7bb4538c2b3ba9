// Norms of rows without weights, and their derivatives: (x − mean) / √(variance + ε), or x / √(mean x² + ε).
import { address, float, int, take } from '../assembly/args';
import { madd, sum } from '../assembly/simd';

/** Rows that a thread takes at a time. */
// @ts-ignore: decorator
@inline const ROWS: i32 = 16;

function meanOf(x: usize, bytes: usize, count: f32): f32 {
  let a = f32x4.splat(0);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) a = f32x4.add(a, v128.load(x + i));
  let s = sum(a);
  for (; i < bytes; i += 4) s += load<f32>(x + i);
  return s / count;
}

/** Mean of (x − shift) · (y − other). */
function meanProduct(x: usize, shift: f32, y: usize, other: f32, bytes: usize, count: f32): f32 {
  const shifts = f32x4.splat(shift), others = f32x4.splat(other);
  let a = f32x4.splat(0);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    a = madd(f32x4.sub(v128.load(x + i), shifts), f32x4.sub(v128.load(y + i), others), a);
  }
  let s = sum(a);
  for (; i < bytes; i += 4) s += (load<f32>(x + i) - shift) * (load<f32>(y + i) - other);
  return s / count;
}

/** out = (x − shift) · a + (y − other) · b. */
function combine(x: usize, shift: f32, a: f32, y: usize, other: f32, b: f32, out: usize, bytes: usize): void {
  const shifts = f32x4.splat(shift), others = f32x4.splat(other), as = f32x4.splat(a), bs = f32x4.splat(b);
  let i: usize = 0;
  for (; i + 32 <= bytes; i += 32) {
    const x0 = v128.load(x + i), x1 = v128.load(x + i, 16), y0 = v128.load(y + i), y1 = v128.load(y + i, 16);
    const a0 = madd(f32x4.sub(x0, shifts), as, f32x4.mul(f32x4.sub(y0, others), bs));
    const a1 = madd(f32x4.sub(x1, shifts), as, f32x4.mul(f32x4.sub(y1, others), bs));
    v128.store(out + i, a0);
    v128.store(out + i, a1, 16);
  }
  for (; i < bytes; i += 4) {
    store<f32>(out + i, (load<f32>(x + i) - shift) * a + (load<f32>(y + i) - other) * b);
  }
}

/** Arguments: x, out, rows, columns, ε, whether the mean is taken off. */
export function norm(args: usize, counter: usize): void {
  const rows = int(args, 2), columns = int(args, 3);
  const epsilon = float(args, 4);
  const centred = int(args, 5) != 0;
  const bytes = <usize>columns << 2, count = <f32>columns;
  for (let t = take(counter); t * ROWS < rows; t = take(counter)) {
    for (let r = t * ROWS; r < min(rows, t * ROWS + ROWS); r++) {
      const x = address(args, 0) + <usize>r * bytes, out = address(args, 1) + <usize>r * bytes;
      const mean = centred ? meanOf(x, bytes, count) : 0;
      const factor = <f32>1 / sqrt<f32>(meanProduct(x, mean, x, mean, bytes, count) + epsilon);
      combine(x, mean, factor, x, 0, 0, out, bytes);
    }
  }
}

/** Arguments: x, dy, out, rows, columns, ε, whether centred: f (dy − mean dy − n mean(n dy)), n the norm, f its factor. */
export function normGradient(args: usize, counter: usize): void {
  const rows = int(args, 3), columns = int(args, 4);
  const epsilon = float(args, 5);
  const centred = int(args, 6) != 0;
  const bytes = <usize>columns << 2, count = <f32>columns;
  for (let t = take(counter); t * ROWS < rows; t = take(counter)) {
    for (let r = t * ROWS; r < min(rows, t * ROWS + ROWS); r++) {
      const x = address(args, 0) + <usize>r * bytes, dy = address(args, 1) + <usize>r * bytes;
      const mean = centred ? meanOf(x, bytes, count) : 0;
      const factor = <f32>1 / sqrt<f32>(meanProduct(x, mean, x, mean, bytes, count) + epsilon);
      const slope = centred ? meanOf(dy, bytes, count) : 0;
      const along = meanProduct(x, mean, dy, 0, bytes, count) * factor;
      combine(dy, slope, factor, x, mean, -along * factor * factor, address(args, 2) + <usize>r * bytes, bytes);
    }
  }
}
