// Vector primitives that several kernels share. Relaxed instructions are used where the build enables them; the plain
// build computes the same integers and, in floats, the same sums with one more rounding.

/** a · b + c per lane (fused where the relaxed build is in use). */
// @ts-ignore: decorator
@inline export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/**
 * Per 32-bit lane: acc + Σ of 4 products of `x` (signed bytes) and `w` (bytes 0 … 127).
 * The sums fit: 4 · 127 · 127 is far below 2³¹, and no pair exceeds 2¹⁵, so every engine computes the same integer.
 */
// @ts-ignore: decorator
@inline export function dot4(acc: v128, x: v128, w: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i32x4.relaxed_dot_i8x16_i7x16_add_s(x, w, acc);
  const products = i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(x), i16x8.extend_low_i8x16_s(w));
  const others = i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(x), i16x8.extend_high_i8x16_s(w));
  const even = v128.shuffle<i32>(products, others, 0, 2, 4, 6);
  const odd = v128.shuffle<i32>(products, others, 1, 3, 5, 7);
  return i32x4.add(acc, i32x4.add(even, odd));
}

/**
 * Per 16-bit lane: Σ of 2 products of `x` (signed bytes) and `w` (bytes 0 … 127), which fits for w ≤ 127, and 8 of them
 * added still do for w ≤ 15.
 */
// @ts-ignore: decorator
@inline export function dot2(x: v128, w: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i16x8.relaxed_dot_i8x16_i7x16_s(x, w);
  const even = i16x8.mul(i16x8.shr_s(i16x8.shl(x, 8), 8), v128.and(w, i16x8.splat(255)));
  return i16x8.add(even, i16x8.mul(i16x8.shr_s(x, 8), i16x8.shr_u(w, 8)));
}

// @ts-ignore: decorator
@inline export function sum(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  );
}

/** The larger per lane, in one instruction (`f32x4.max` takes eight for its rules about NaN); where a is NaN the result is. */
// @ts-ignore: decorator
@inline export function larger(a: v128, b: v128): v128 {
  return f32x4.pmax(a, b);
}

/** The largest lane; a NaN may be passed over. */
// @ts-ignore: decorator
@inline export function largest(v: v128): f32 {
  v = f32x4.pmax(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  v = f32x4.pmax(v, v128.shuffle<i32>(v, v, 1, 0, 3, 2));
  return f32x4.extract_lane(v, 0);
}

// V8 builds a vector constant anew at every use, in three instructions or, where it joined two vectors, eight; a number
// that is spread from memory takes one. These lie below the control block (see `--memoryBase` in build-kernels.mjs).
const NUMBERS: usize = memory.data<f32>([
  12582912, 1, 127, 1e-36,
  // e: the least and the greatest argument, 1 / ln 2, −ln 2 in two parts, the polynomial.
  -88.02969, 88.37626, 1.44269504, -0.693359375, 2.1219444e-4,
  1.987569150e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
]);

// @ts-ignore: decorator
@inline function number(n: usize): v128 {
  return v128.load32_splat(NUMBERS + (n << 2));
}

/**
 * 1.5 · 2²³: floats of this size have no fraction, so adding it rounds to the nearest whole number, ties to even, which
 * then stands in the low bits.
 */
// @ts-ignore: decorator
@inline export function magic(): v128 {
  return number(0);
}

/** Whole numbers nearest to x, |x| < 2²²; NaN gives some number. */
// @ts-ignore: decorator
@inline export function rounded(x: v128): v128 {
  // The bits of the number that is added are what is left at 0.
  return i32x4.sub(f32x4.add(x, magic()), magic());
}

/**
 * eˣ per lane, relative error below 2 · 10⁻⁷; from −87.7 down it is 0, x above 88.37 gives e^88.37, NaN stays NaN.
 */
// @ts-ignore: decorator
@inline export function exp(x: v128): v128 {
  // In this order, since both keep x where it is NaN. At the least exponent the bits of `scale`, and the result, are 0.
  x = f32x4.pmax(f32x4.pmin(x, number(5)), number(4));
  const whole = madd(x, number(6), magic());
  const n = f32x4.sub(whole, magic());
  // ln 2 in two parts, so that n · ln 2 is subtracted without rounding.
  let r = madd(n, number(7), x);
  r = madd(n, number(8), r);
  let p = madd(number(9), r, number(10));
  p = madd(p, r, number(11));
  p = madd(p, r, number(12));
  p = madd(p, r, number(13));
  p = madd(p, r, number(14));
  p = madd(p, f32x4.mul(r, r), f32x4.add(r, number(1)));
  // The low bits of `whole` are n; what stands above them is shifted out.
  const scale = i32x4.shl(i32x4.add(whole, i32x4.splat(127)), 23);
  return f32x4.mul(p, scale);
}

/** Four half-precision numbers in the low half of each 32-bit lane (sign-extended) as float32; infinity and NaN give numbers above 65504. */
// @ts-ignore: decorator
@inline export function halfToFloat(h: v128): v128 {
  const bits = v128.and(i32x4.shl(h, 13), i32x4.splat(0x8fffe000));
  return f32x4.mul(bits, f32x4.splat(reinterpret<f32>(0x77800000))); // 2¹¹²
}

/** float32 to half precision, round to nearest even, clamped to ±65504. NaN becomes 0x7e00. */
export function floatToHalf(x: f32): u32 {
  if (x != x) return 0x7e00;
  const bits = reinterpret<u32>(x);
  const sign = (bits >> 16) & 0x8000;
  const magnitude = min<f32>(abs<f32>(x), 65504);
  // Below 2⁻¹⁴ halves are multiples of 2⁻²⁴, to which adding ½ rounds: scaling would round twice.
  if (magnitude < 0.00006103515625) return sign | (reinterpret<u32>(magnitude + 0.5) - 0x3f000000);
  const scaled = reinterpret<u32>(magnitude * reinterpret<f32>(0x07800000)); // 2⁻¹¹²
  return sign | ((scaled + 0x0fff + ((scaled >> 13) & 1)) >> 13);
}
