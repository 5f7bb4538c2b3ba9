// A state that replaces what a key had stored, token by token, so that a prompt in any pieces, and decoding, give the same bits.
import { address, int, take } from '../assembly/args';
import { madd, sigmoid, silu } from '../assembly/simd';

/** Bytes of a row of the state that a thread takes: a line of the cache. */
// @ts-ignore: decorator
@inline const SLICE: usize = 64;

/** x σ(x) of a head, made as long as 1. */
function direction(x: usize, width: usize, to: usize): void {
  let square: f32 = 0;
  for (let i: usize = 0; i < width << 2; i += 4) {
    const y = silu(load<f32>(x + i));
    store<f32>(to + i, y);
    square += y * y;
  }
  const factor = <f32>1 / sqrt<f32>(square + <f32>1e-6);
  for (let i: usize = 0; i < width << 2; i += 4) store<f32>(to + i, load<f32>(to + i) * factor);
}

/**
 * Arguments: 0 q, 1 its stride in floats, 2 k, 3 stride, 4 v, 5 stride, 6 β before its sigmoid, 7 stride, 8 out, 9 stride, 10 n,
 * 11 heads, 12 width of a head of q and k, 13 width of one of v (a multiple of 4), 14 state before the rows, 15 state behind
 * them: f32 [heads, width of k, width of v]. Scratch: 8 bytes per channel of a head of k.
 */
export function delta(args: usize, counter: usize, scratch: usize): void {
  const n = <usize>int(args, 10), width = <usize>int(args, 12);
  const columns = <usize>int(args, 13) << 2;
  const slices = <i32>((columns + SLICE - 1) / SLICE);
  const qStep = <usize>int(args, 1) << 2, kStep = <usize>int(args, 3) << 2, vStep = <usize>int(args, 5) << 2;
  const bStep = <usize>int(args, 7) << 2, outStep = <usize>int(args, 9) << 2;
  const key = scratch, query = scratch + (width << 2);
  for (let item = take(counter); item < int(args, 11) * slices; item = take(counter)) {
    const head = <usize>(item / slices), narrow = head * (width << 2), wide = head * columns;
    const begin = <usize>(item % slices) * SLICE, end = min(columns, begin + SLICE);
    const state = address(args, 15) + head * width * columns, from = address(args, 14) + head * width * columns;
    for (let i: usize = 0; i < width; i++) {
      memory.copy(state + i * columns + begin, from + i * columns + begin, end - begin);
    }
    for (let t: usize = 0; t < n; t++) {
      direction(address(args, 2) + t * kStep + narrow, width, key);
      direction(address(args, 0) + t * qStep + narrow, width, query);
      const beta = f32x4.splat(sigmoid(load<f32>(address(args, 6) + t * bStep + (head << 2))));
      const v = address(args, 4) + t * vStep + wide, out = address(args, 8) + t * outStep + wide;
      for (let c = begin; c < end; c += 16) replace(state + c, columns, width, key, query, beta, v + c, out + c);
    }
  }
}

/** S ← S + β k (v − Sᵀ k)ᵀ and out = Sᵀ q of four columns. */
// @ts-ignore: decorator
@inline function replace(
  state: usize, step: usize, width: usize, key: usize, query: usize, beta: v128, v: usize, out: usize,
): void {
  let stored = f32x4.splat(0), read = stored;
  let at = state;
  for (let i: usize = 0; i < width << 2; i += 4, at += step) stored = madd(v128.load32_splat(key + i), v128.load(at), stored);
  const change = f32x4.mul(beta, f32x4.sub(v128.load(v), stored));
  at = state;
  for (let i: usize = 0; i < width << 2; i += 4, at += step) {
    const s = madd(v128.load32_splat(key + i), change, v128.load(at));
    v128.store(at, s);
    read = madd(v128.load32_splat(query + i), s, read);
  }
  v128.store(out, read);
}
