// Rounding to whole numbers. Constants of inner loops lie in memory, since V8 would build a vector of them anew for every
// use; reading one costs less.

// 1.5 · 2²³: floats of this size have no fraction, so adding it rounds to the nearest whole number, ties to even, which then
// stands in the low bits.
// @ts-ignore: decorator
@lazy const TABLE = memory.data<f32>([12582912]);

// @ts-ignore: decorator
@inline export function round(): v128 {
  return v128.load32_splat(TABLE);
}

/** Floats whose low bits are the whole numbers nearest to x, |x| < 2²². */
// @ts-ignore: decorator
@inline export function wholeBits(x: v128): v128 {
  return f32x4.add(x, round());
}

/** Whole numbers nearest to x, |x| < 2²²; NaN gives some number. */
// @ts-ignore: decorator
@inline export function whole(x: v128): v128 {
  return i32x4.sub(wholeBits(x), round());
}
