// Sums along one dimension of a dense array [outer, length, inner]: all of it, or up to each element.
import { address, float, int, take } from '../assembly/args';
import { sum } from '../assembly/simd';

/** Neighbouring columns that a thread takes at a time. */
// @ts-ignore: decorator
@inline const SLICE: i32 = 16;

/** Sum of `count` numbers in four lanes. */
function sumOf(x: usize, count: i32): f32 {
  let a = f32x4.splat(0), b = a;
  let i = 0;
  for (; i + 8 <= count; i += 8) {
    a = f32x4.add(a, v128.load(x)), b = f32x4.add(b, v128.load(x, 16));
    x += 32;
  }
  let total = sum(f32x4.add(a, b));
  for (; i < count; i++) total += load<f32>(x), x += 4;
  return total;
}

/** Arguments: x, out, outer, length, inner, factor: out[o, i] = factor · Σ x[o, …, i]. */
export function total(args: usize, counter: usize): void {
  const x = address(args, 0), out = address(args, 1);
  const outer = int(args, 2), length = int(args, 3), inner = int(args, 4);
  const factor = float(args, 5);
  if (inner == 1) {
    const count = (outer + SLICE - 1) / SLICE;
    for (let t = take(counter); t < count; t = take(counter)) {
      for (let o = t * SLICE; o < min(outer, (t + 1) * SLICE); o++) {
        store<f32>(out + (<usize>o << 2), factor * sumOf(x + (<usize>o * <usize>length << 2), length));
      }
    }
    return;
  }
  const slices = (inner + SLICE - 1) / SLICE, count = outer * slices;
  const row = <usize>inner << 2;
  for (let t = take(counter); t < count; t = take(counter)) {
    const c = (t % slices) * SLICE, o = <usize>(t / slices);
    const from = x + (o * <usize>length * <usize>inner << 2) + (<usize>c << 2), to = out + (o * row) + (<usize>c << 2);
    if (c + SLICE <= inner) sumColumns(from, row, length, factor, to);
    else for (let i = 0; i < inner - c; i++) {
      let at = from + (<usize>i << 2);
      let s: f32 = 0;
      for (let l = 0; l < length; l++) s += load<f32>(at), at += row;
      store<f32>(to + (<usize>i << 2), factor * s);
    }
  }
}

function sumColumns(x: usize, row: usize, length: i32, factor: f32, out: usize): void {
  let a = f32x4.splat(0), b = a, c = a, d = a;
  for (let l = 0; l < length; l++) {
    a = f32x4.add(a, v128.load(x)), b = f32x4.add(b, v128.load(x, 16));
    c = f32x4.add(c, v128.load(x, 32)), d = f32x4.add(d, v128.load(x, 48));
    x += row;
  }
  const f = f32x4.splat(factor);
  v128.store(out, f32x4.mul(a, f)), v128.store(out, f32x4.mul(b, f), 16);
  v128.store(out, f32x4.mul(c, f), 32), v128.store(out, f32x4.mul(d, f), 48);
}

/** Arguments: x, out, outer, length, inner, whether from the end: out[o, l, i] = Σ x[o, ≤ l (or ≥ l), i]. */
export function cumulate(args: usize, counter: usize): void {
  const outer = int(args, 2), length = int(args, 3), inner = int(args, 4);
  const reverse = int(args, 5) != 0;
  const slices = (inner + SLICE - 1) / SLICE, count = outer * slices;
  for (let t = take(counter); t < count; t = take(counter)) {
    const c = (t % slices) * SLICE, o = <usize>(t / slices) * <usize>length * <usize>inner;
    for (let i = c; i < min(inner, c + SLICE); i++) {
      let s: f32 = 0;
      for (let l = 0; l < length; l++) {
        const at = (o + <usize>(reverse ? length - 1 - l : l) * <usize>inner + <usize>i) << 2;
        s += load<f32>(address(args, 0) + at);
        store<f32>(address(args, 1) + at, s);
      }
    }
  }
}
