// Vector primitives that several kernels share. Relaxed instructions are used where the build enables them; the plain
// build computes the same integers and, in floats, the same sums with one more rounding.

/** a · b + c per lane (fused where the relaxed build is in use). */
// @ts-ignore: decorator
@inline export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

// Two 16-bit ones.
const ONES: usize = memory.data<u32>([0x00010001]);

/**
 * Per 32-bit lane: acc + Σ of 4 products of `x` (signed bytes) and `w` (bytes 0 … 127; 0 … 255 in the build for processors
 * that are known to take them). The sums fit: 4 · 127 · 127 is far below 2³¹, and no pair exceeds 2¹⁵, so every engine
 * computes the same integer.
 */
// @ts-ignore: decorator
@inline export function dot4(acc: v128, x: v128, w: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (FOURS) return i32x4.relaxed_dot_i8x16_i7x16_add_s(x, w, acc);
    // What V8 makes of it without AVX-VNNI, but for the ones, which it builds anew in two instructions at every use.
    return i32x4.add(acc, i32x4.dot_i16x8_s(i16x8.relaxed_dot_i8x16_i7x16_s(x, w), number(ONES, 0)));
  }
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

// The low half of every byte.
const LOW_HALVES: usize = memory.data<u32>([0x0f0f0f0f]);

/** `low` of `nibbles`, for loops that hold it. */
// @ts-ignore: decorator
@inline export function lowHalvesOfBytes(): v128 {
  return number(LOW_HALVES, 0);
}

/** The high or the low half of every byte. */
// @ts-ignore: decorator
@inline export function nibbles(v: v128, high: bool, low: v128): v128 {
  return v128.and(high ? i16x8.shr_u(v, 4) : v, low);
}

/**
 * before + the products of signed bytes and of 0 … 15, either of which may be x and the other, not below 0, w: per 32-bit lane,
 * or where the build's products come in pairs per 16-bit lane, in which those of eight fit. `ofPairs` makes sums of either.
 */
// @ts-ignore: decorator
@inline export function dots(before: v128, x: v128, w: v128): v128 {
  return FOURS ? dot4(before, x, w) : i16x8.add(before, dot2(x, w));
}

/** Sums of `dots` per 32-bit lane. `ones` are those of `onesOfPairs`, loaded before anything is stored. */
// @ts-ignore: decorator
@inline export function ofPairs(dots: v128, ones: v128): v128 {
  return FOURS ? dots : i32x4.dot_i16x8_s(dots, ones);
}

// @ts-ignore: decorator
@inline export function onesOfPairs(): v128 {
  return number(ONES, 0);
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

/** The smaller per lane, likewise. */
// @ts-ignore: decorator
@inline export function smaller(a: v128, b: v128): v128 {
  return f32x4.pmin(a, b);
}

/** The largest lane; a NaN may be passed over. */
// @ts-ignore: decorator
@inline export function largest(v: v128): f32 {
  v = f32x4.pmax(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  v = f32x4.pmax(v, v128.shuffle<i32>(v, v, 1, 0, 3, 2));
  return f32x4.extract_lane(v, 0);
}

/**
 * The n-th number of a table, in every lane. V8 builds a vector constant anew at every use, in three instructions or,
 * where it joined two vectors, eight; what is spread from memory takes one.
 */
// @ts-ignore: decorator
@inline export function number(table: usize, n: usize): v128 {
  return v128.load32_splat(table + (n << 2));
}

// 1.5 · 2²³: floats of this size have no fraction, so adding it rounds to the nearest whole number, ties to even, which
// then stands in the low bits.
export const ROUND: usize = memory.data<f32>([12582912]);

/** Whole numbers nearest to x, |x| < 2²²; NaN gives some number. */
// @ts-ignore: decorator
@inline export function rounded(x: v128, round: v128 = number(ROUND, 0)): v128 {
  return i32x4.sub(f32x4.add(x, round), round);
}

// The same number plus 127, which leaves the exponent of 2ⁿ in the low bits; 1; the arguments' least and greatest;
// 1 / ln 2; −ln 2 in two parts; the polynomial.
const EXP: usize = memory.data<f32>([
  12583039, 1, -88.02969, 88.37626, 1.44269504, -0.693359375, 2.1219444e-4, 1.987569150e-4, 1.3981999507e-3,
  8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
]);

/** eˣ per lane, relative error below 2 · 10⁻⁷; from −87.7 down it is 0, x above 88.37 gives e^88.37, NaN stays NaN. */
// @ts-ignore: decorator
@inline export function exp(x: v128): v128 {
  // In this order, since both keep x where it is NaN. At the least argument the exponent is that of 0.
  x = f32x4.pmax(f32x4.pmin(x, number(EXP, 3)), number(EXP, 2));
  const whole = madd(x, number(EXP, 4), number(EXP, 0));
  const n = f32x4.sub(whole, number(EXP, 0));
  // ln 2 in two parts, so that n · ln 2 is subtracted without rounding.
  const r = madd(n, number(EXP, 6), madd(n, number(EXP, 5), x));
  let p = madd(number(EXP, 7), r, number(EXP, 8));
  p = madd(p, r, number(EXP, 9));
  p = madd(p, r, number(EXP, 10));
  p = madd(p, r, number(EXP, 11));
  p = madd(p, r, number(EXP, 12));
  p = madd(p, f32x4.mul(r, r), f32x4.add(r, number(EXP, 1)));
  // What stands above the exponent is shifted out.
  return f32x4.mul(p, i32x4.shl(whole, 23));
}

/** σ(x) of one number. */
// @ts-ignore: decorator
@inline export function sigmoid(x: f32): f32 {
  return 1 / (1 + f32x4.extract_lane(exp(f32x4.splat(-x)), 0));
}

/** x σ(x) of one number. */
// @ts-ignore: decorator
@inline export function silu(x: f32): f32 {
  return x / (1 + f32x4.extract_lane(exp(f32x4.splat(-x)), 0));
}

// As above; −127; the polynomial, the minimax one of degree 6 on ±½ (bench/oracles/exp2.py).
const EXP2: usize = memory.data<f32>([
  12583039, -127, 1.534580806e-4, 1.339993207e-3, 9.618489072e-3, 5.550328642e-2, 2.402264625e-1, 6.931471825e-1, 1,
]);

/** 2ˣ per lane for x < 128, relative error below 1.2 · 10⁻⁷; below −126.5 it is 0, and NaN stays NaN. */
// @ts-ignore: decorator
@inline export function exp2(x: v128): v128 {
  // At −127 the exponent's bits are all 0, and so is the result. In this order, since `larger` keeps a NaN on the left.
  x = larger(x, number(EXP2, 1));
  const whole = f32x4.add(x, number(EXP2, 0));
  const r = f32x4.sub(x, f32x4.sub(whole, number(EXP2, 0)));
  let p = madd(number(EXP2, 2), r, number(EXP2, 3));
  p = madd(p, r, number(EXP2, 4));
  p = madd(p, r, number(EXP2, 5));
  p = madd(p, r, number(EXP2, 6));
  p = madd(p, r, number(EXP2, 7));
  p = madd(p, r, number(EXP2, 8));
  return f32x4.mul(p, i32x4.shl(whole, 23));
}

/** Four vectors one behind the other. */
// @ts-ignore: decorator
@inline export function store4(to: usize, a: v128, b: v128, c: v128, d: v128): void {
  v128.store(to, a);
  v128.store(to, b, 16);
  v128.store(to, c, 32);
  v128.store(to, d, 48);
}

// Where a half's bits come to stand in a float; 2¹¹²; the largest half.
const FROM_HALF: usize = memory.data<u32>([0x8fffe000, 0x77800000, 0x477fe000]);

/** The first constant of `halfBits`, for loops that hold it. */
// @ts-ignore: decorator
@inline export function halfMask(): v128 {
  return number(FROM_HALF, 0);
}

/** Halves as for `halfToFloat`, times 2⁻¹¹²: their bits where those of a float stand. */
// @ts-ignore: decorator
@inline export function halfBits(h: v128, mask: v128 = halfMask()): v128 {
  return v128.and(i32x4.shl(h, 13), mask);
}

/** Four half-precision numbers in the low half of each 32-bit lane (sign-extended) as float32; infinity and NaN give numbers above 65504. */
// @ts-ignore: decorator
@inline export function halfToFloat(h: v128): v128 {
  return f32x4.mul(halfBits(h), number(FROM_HALF, 1));
}

/** All bits set where x, of `halfToFloat`, is beyond the largest half: infinity or NaN. */
// @ts-ignore: decorator
@inline export function beyondHalves(x: v128): v128 {
  return f32x4.gt(f32x4.abs(x), number(FROM_HALF, 2));
}

// The exponent's bits, those of 2⁻¹⁴ and 13 steps of one; 2⁻¹⁴ as a half with its leading bit counted; 65504; NaN.
const HALF: usize = memory.data<u32>([0x7f800000, 0x38800000, 0x06800000, 0x0001c400, 0x477fe000, 0x7e00]);

/**
 * float32 to half precision in the low half of each lane: round to nearest even, clamped to ±65504. NaN becomes 0x7e00.
 */
// @ts-ignore: decorator
@inline export function floatToHalf(x: v128): v128 {
  const magnitude = f32x4.pmin(f32x4.abs(x), number(HALF, 4));
  // Beside a power of two that is 2¹³ times its own (or the least normal half's) a number keeps the bits of a half.
  const exponent = i32x4.max_s(v128.and(magnitude, number(HALF, 0)), number(HALF, 1));
  const power = i32x4.add(exponent, number(HALF, 2));
  const kept = i32x4.sub(f32x4.add(magnitude, power), power);
  const half = i32x4.add(kept, i32x4.sub(i32x4.shr_u(exponent, 13), number(HALF, 3)));
  const sign = i32x4.shl(i32x4.shr_u(x, 31), 15);
  return v128.bitselect(v128.or(half, sign), number(HALF, 5), f32x4.eq(x, x));
}
