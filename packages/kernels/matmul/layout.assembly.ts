// AssemblyScript. What kernels know of the packed layouts of layout.ts, and how a scale becomes part of a sum.
import { madd, nibbles } from '../assembly/simd';

// @ts-ignore: decorator
@inline export const Q4: i32 = 0;
// @ts-ignore: decorator
@inline export const Q8: i32 = 1;

/**
 * From how many places at once weights of few tokens are read, 1 or 4. Intel's processors fetch ahead of every stream by itself,
 * and of one alone half of what memory could give. AMD's Zen 4 is up to a fifth slower with four; of Zen 5 this is not known.
 */
// @ts-ignore: decorator
@inline export const STREAMS: i32 = BYTES ? 4 : 1;

// What the number of a layout says; see `layouts` in layout.ts.
// @ts-ignore: decorator
@inline export const FLOATS: i32 = 6;
// @ts-ignore: decorator
@inline export function bitsOf(layout: i32): i32 {
  return layout < 3 ? Q4 : Q8;
}
// @ts-ignore: decorator
@inline export function groupOf(layout: i32): i32 {
  return layout == 2 || layout == 5 ? 16 : 32;
}
// @ts-ignore: decorator
@inline export function hasMinima(layout: i32): bool {
  return layout == 1 || layout == 2 || layout == 4;
}

// Bytes of the factors of a block, and of those of an octet.
// @ts-ignore: decorator
@inline export const FACTORS: usize = 64;
// @ts-ignore: decorator
@inline export const OCTET: usize = 32;

/** Bytes of a group's scales and minima, behind which are its numbers. */
// @ts-ignore: decorator
@inline export function scaleBytes(layout: i32): usize {
  return hasMinima(layout) ? 32 : 16;
}

/** Bytes of a group of columns of 8 rows, an octet, of which a block has two. */
// @ts-ignore: decorator
@inline export function groupBytes(layout: i32): usize {
  return scaleBytes(layout) + (<usize>groupOf(layout) << (bitsOf(layout) == Q4 ? 2 : 3));
}

/** Bytes of a block, 16 rows: their factors, then group by group both octets. */
// @ts-ignore: decorator
@inline export function blockBytes(layout: i32, columns: i32): usize {
  if (layout == FLOATS) return <usize>columns << 6;
  return FACTORS + (<usize>(columns / groupOf(layout)) * groupBytes(layout) << 1);
}

/** Less the number that stands for 0, or for the minimum where there is one. */
// @ts-ignore: decorator
@inline export function middleOf(layout: i32): f32 {
  return bitsOf(layout) == Q8 ? -128 : hasMinima(layout) ? 0 : -8;
}

/** What is added to the product of scale and number as it is stored, given the minima where there are any. */
// @ts-ignore: decorator
@inline export function minimum(layout: i32, stored: v128, scale: v128, middle: v128): v128 {
  if (!hasMinima(layout)) return f32x4.mul(scale, middle);
  return bitsOf(layout) == Q4 ? stored : madd(scale, middle, stored);
}

/** f + scale · xScale · sums + min · xSum. */
// @ts-ignore: decorator
@inline export function scaled(f: v128, sums: v128, scale: v128, min: v128, xScale: v128, xSum: v128): v128 {
  return madd(min, xSum, madd(f32x4.convert_i32x4_s(sums), f32x4.mul(scale, xScale), f));
}

// Constants of inner loops that the engine cannot know to be such: it would build them anew at every use.
/** 1 for a count that is positive. */
// @ts-ignore: decorator
@inline export function unforeseen(count: i32): i32 {
  return count > 0 ? 1 : 0;
}
// `mask` and `unit` of `halfToFloat`.
// @ts-ignore: decorator
@inline export const HALF_MASK: i32 = 0x8fffe000;
// @ts-ignore: decorator
@inline export const HALF_UNIT: i32 = 0x77800000;

// `halfToFloat` of one half of a vector.
// @ts-ignore: decorator
@inline export function lowHalves(h: v128, mask: v128, unit: v128): v128 {
  return f32x4.mul(v128.and(i32x4.shl(i32x4.extend_low_i16x8_s(h), 13), mask), unit);
}
// @ts-ignore: decorator
@inline export function highHalves(h: v128, mask: v128, unit: v128): v128 {
  return f32x4.mul(v128.and(i32x4.shl(i32x4.extend_high_i16x8_s(h), 13), mask), unit);
}

// @ts-ignore: decorator
@inline export function loadIf(loads: bool, p: usize, otherwise: v128): v128 {
  return loads ? v128.load(p) : otherwise;
}

// The bits of every byte that a pass multiplies with: four of them, or all where the build's products take 8.
// @ts-ignore: decorator
@inline export const LOW: i32 = 0;
// @ts-ignore: decorator
@inline export const HIGH: i32 = 1;
// @ts-ignore: decorator
@inline export const WHOLE: i32 = 2;

// @ts-ignore: decorator
@inline export function part(v: v128, which: i32, fifteen: v128): v128 {
  return which == WHOLE ? v : nibbles(v, which == HIGH, fifteen);
}
