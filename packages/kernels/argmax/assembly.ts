import { address, int, take } from '../assembly/args';
import { larger, largest } from '../assembly/simd';

/**
 * The column of the largest number of every row, the first of equal ones; −1 where a row holds a NaN or nothing above −∞.
 * Arguments: x, stride in floats, n, columns, out i32 [n].
 */
export function argmax(args: usize, counter: usize): void {
  const x = address(args, 0);
  const stride = <usize>int(args, 1) << 2;
  const n = int(args, 2);
  const columns = int(args, 3);
  const out = address(args, 4);
  for (let r = take(counter); r < n; r = take(counter)) {
    store<i32>(out + (<usize>r << 2), largestAt(x + <usize>r * stride, columns));
  }
}

function largestAt(row: usize, columns: i32): i32 {
  const end = row + (<usize>(columns & ~15) << 2), all = row + (<usize>columns << 2);
  let a = f32x4.splat(-Infinity), b = a, c = a, d = a;
  let sound = i32x4.splat(-1);
  let at = row;
  for (; at < end; at += 64) {
    const x0 = v128.load(at), x1 = v128.load(at, 16), x2 = v128.load(at, 32), x3 = v128.load(at, 48);
    a = larger(a, x0), b = larger(b, x1), c = larger(c, x2), d = larger(d, x3);
    const low = v128.and(f32x4.eq(x0, x0), f32x4.eq(x1, x1));
    sound = v128.and(sound, v128.and(low, v128.and(f32x4.eq(x2, x2), f32x4.eq(x3, x3))));
  }
  if (!i32x4.all_true(sound)) return -1;
  let m = largest(larger(larger(a, b), larger(c, d)));
  for (; at < all; at += 4) {
    const y = load<f32>(at);
    if (y != y) return -1;
    if (y > m) m = y;
  }
  if (m == -Infinity) return -1;
  const mm = f32x4.splat(m);
  at = row;
  while (at < end && !v128.any_true(f32x4.eq(v128.load(at), mm))) at += 16;
  while (load<f32>(at) != m) at += 4;
  return <i32>((at - row) >> 2);
}
