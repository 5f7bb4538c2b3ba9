import { address, int, rowsAtOnce, take } from '../assembly/args';

/**
 * Rotates pairs of channels in place. Arguments: x [n, heads, d], n, heads, d, rotated channels r (even, ≤ d),
 * cos [n, r/2], sin [n, r/2], 1 when the pairs are (2j, 2j + 1) and 0 when they are (j, j + r/2).
 */
export function rope(args: usize, counter: usize): void {
  const x = address(args, 0);
  const n = int(args, 1);
  const heads = int(args, 2);
  const d = int(args, 3);
  const half = int(args, 4) >> 1;
  const cos = address(args, 5);
  const sin = address(args, 6);
  const interleaved = int(args, 7) != 0;
  const headBytes = <usize>d << 2;
  const tableBytes = <usize>half << 2;
  const step = rowsAtOnce(n);
  for (let first = take(counter) * step; first < n; first = take(counter) * step) {
    for (let t = first, end = min(first + step, n); t < end; t++) {
      const c = cos + <usize>t * tableBytes;
      const s = sin + <usize>t * tableBytes;
      let row = x + <usize>t * <usize>heads * headBytes;
      for (let head = 0; head < heads; head++) {
        if (interleaved) rotatePairs(row, half, c, s);
        else rotateHalves(row, half, c, s);
        row += headBytes;
      }
    }
  }
}

// @ts-ignore: decorator
@inline function rotateHalves(x: usize, half: i32, cos: usize, sin: usize): void {
  const bytes = <usize>half << 2;
  const end = x + ((<usize>half & ~7) << 2);
  let y = x + bytes;
  const all = y;
  for (; x < end; x += 32, y += 32, cos += 32, sin += 32) {
    const a0 = v128.load(x), a1 = v128.load(x, 16), b0 = v128.load(y), b1 = v128.load(y, 16);
    const c0 = v128.load(cos), c1 = v128.load(cos, 16), s0 = v128.load(sin), s1 = v128.load(sin, 16);
    v128.store(x, f32x4.sub(f32x4.mul(a0, c0), f32x4.mul(b0, s0)));
    v128.store(x, f32x4.sub(f32x4.mul(a1, c1), f32x4.mul(b1, s1)), 16);
    v128.store(y, f32x4.add(f32x4.mul(a0, s0), f32x4.mul(b0, c0)));
    v128.store(y, f32x4.add(f32x4.mul(a1, s1), f32x4.mul(b1, c1)), 16);
  }
  for (; x < all; x += 4, y += 4, cos += 4, sin += 4) rotateOne(x, y, load<f32>(cos), load<f32>(sin));
}

// @ts-ignore: decorator
@inline function rotatePairs(x: usize, half: i32, cos: usize, sin: usize): void {
  const end = cos + ((<usize>half & ~3) << 2), all = cos + (<usize>half << 2);
  for (; cos < end; x += 32, cos += 16, sin += 16) {
    const v0 = v128.load(x), v1 = v128.load(x, 16), c = v128.load(cos), s = v128.load(sin);
    const a = v128.shuffle<i32>(v0, v1, 0, 2, 4, 6), b = v128.shuffle<i32>(v0, v1, 1, 3, 5, 7);
    const first = f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)), second = f32x4.add(f32x4.mul(a, s), f32x4.mul(b, c));
    v128.store(x, v128.shuffle<i32>(first, second, 0, 4, 1, 5));
    v128.store(x, v128.shuffle<i32>(first, second, 2, 6, 3, 7), 16);
  }
  for (; cos < all; x += 8, cos += 4, sin += 4) rotateOne(x, x + 4, load<f32>(cos), load<f32>(sin));
}

// @ts-ignore: decorator
@inline function rotateOne(first: usize, second: usize, c: f32, s: f32): void {
  const a = load<f32>(first);
  const b = load<f32>(second);
  store<f32>(first, a * c - b * s);
  store<f32>(second, a * s + b * c);
}
