import { address, int, take } from '../assembly/args';

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
  for (let t = take(counter); t < n; t = take(counter)) {
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

// @ts-ignore: decorator
@inline function rotateHalves(x: usize, half: i32, cos: usize, sin: usize): void {
  const bytes = <usize>half << 2;
  const end = (<usize>half & ~3) << 2;
  for (let k: usize = 0; k < end; k += 16) {
    const a = v128.load(x + k);
    const b = v128.load(x + k + bytes);
    const c = v128.load(cos + k);
    const s = v128.load(sin + k);
    v128.store(x + k, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)));
    v128.store(x + k + bytes, f32x4.add(f32x4.mul(a, s), f32x4.mul(b, c)));
  }
  for (let k = end; k < bytes; k += 4) rotateOne(x + k, x + k + bytes, load<f32>(cos + k), load<f32>(sin + k));
}

// @ts-ignore: decorator
@inline function rotatePairs(x: usize, half: i32, cos: usize, sin: usize): void {
  const bytes = <usize>half << 2;
  for (let k: usize = 0; k < bytes; k += 4) {
    rotateOne(x + (k << 1), x + (k << 1) + 4, load<f32>(cos + k), load<f32>(sin + k));
  }
}

// @ts-ignore: decorator
@inline function rotateOne(first: usize, second: usize, c: f32, s: f32): void {
  const a = load<f32>(first);
  const b = load<f32>(second);
  store<f32>(first, a * c - b * s);
  store<f32>(second, a * s + b * c);
}
