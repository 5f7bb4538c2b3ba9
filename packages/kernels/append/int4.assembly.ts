// Writing into pages of 4 bits. A channel's scale belongs to all slots of a page: a key beyond what it reaches widens it,
// and the keys that are there are rounded again. Keys that come together are rounded once.
import { floatToHalf, halfToFloat, larger, largest, smaller } from '../assembly/simd';
import { groupsOf, keysOf, scalesK4, scalesV4, SLOTS, values4 } from './page.assembly';

// @ts-ignore: decorator
@inline export const NAN: u16 = 0x7e00;

/** 1 / x where x > 0, else 0. */
// @ts-ignore: decorator
@inline export function inverse(x: v128): v128 {
  return v128.and(f32x4.div(f32x4.splat(1), x), f32x4.gt(x, f32x4.splat(0)));
}

/** Numbers of 0 … 15 nearest to (x − minimum) · inverse, one to a byte of the result. */
// @ts-ignore: decorator
@inline export function level(x: v128, minimum: v128, inverse: v128): u32 {
  const y = larger(f32x4.splat(0), smaller(f32x4.splat(15), f32x4.mul(f32x4.sub(x, minimum), inverse)));
  const whole = i32x4.trunc_sat_f32x4_u(f32x4.nearest(y));
  const words = i16x8.narrow_i32x4_u(whole, whole);
  return i32x4.extract_lane(i8x16.narrow_i16x8_u(words, words), 0);
}

/** Rows of keys and of values [to − from], `stride` bytes apart, into the slots from … to − 1 of a page. */
export function write4(keys: usize, values: usize, stride: usize, d: i32, page: usize, from: i32, to: i32): void {
  for (let c = 0; c < d; c += 4) writeKeys(keys + (<usize>c << 2), stride, c, d, page, from, to);
  for (let s = from; s < to; s++) {
    const at = <usize>(s - from) * stride;
    writeValue(values + at, isSound(keys + at, d) && isSound(values + at, d), d, page, s);
  }
}

export function isSound(x: usize, d: i32): bool {
  let sound = i32x4.splat(-1);
  for (let c = 0; c < d; c += 4, x += 16) sound = v128.and(sound, f32x4.eq(v128.load(x), v128.load(x)));
  return i32x4.all_true(sound);
}

/** Four channels of keys. */
function writeKeys(x: usize, stride: usize, c: i32, d: i32, page: usize, from: i32, to: i32): void {
  const numbers = keysOf(page) + <usize>(c << 4);
  const halves = scalesK4(page, d) + <usize>(c << 1);
  const minima = halves + <usize>(d << 1);
  let scale = halfToFloat(v128.load16x4_s(halves));
  let minimum = halfToFloat(v128.load16x4_s(minima));
  const none = from == 0 ? i32x4.splat(-1) : i32x4.splat(0);
  const oldLow = v128.bitselect(f32x4.splat(Infinity), minimum, none);
  const oldHigh = v128.bitselect(f32x4.splat(-Infinity), f32x4.add(minimum, f32x4.mul(scale, f32x4.splat(15))), none);
  let low = oldLow, high = oldHigh;
  for (let s = from, row = x; s < to; s++, row += stride) {
    low = smaller(low, v128.load(row));
    high = larger(high, v128.load(row));
  }
  const wider = v128.or(f32x4.lt(low, oldLow), f32x4.gt(high, oldHigh));
  if (v128.any_true(wider)) {
    const oldScale = scale, oldMinimum = minimum;
    store4Halves(minima, minimum, low, wider);
    minimum = v128.bitselect(halfToFloat(v128.load16x4_s(minima)), minimum, wider);
    store4Halves(halves, scale, f32x4.div(f32x4.sub(high, minimum), f32x4.splat(15)), wider);
    scale = v128.bitselect(halfToFloat(v128.load16x4_s(halves)), scale, wider);
    const factor = inverse(scale);
    for (let s = 0; s < from; s++) {
      const word = load<u32>(numbers + (<usize>(s & 15) << 2)) >> (s & 16 ? 4 : 0);
      const bytes = i32x4.replace_lane(i32x4.splat(0), 0, word & 0x0f0f0f0f);
      const old = f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bytes)));
      put(numbers, s, level(f32x4.add(f32x4.mul(old, oldScale), oldMinimum), minimum, factor));
    }
  }
  const factor = inverse(scale);
  for (let s = from, row = x; s < to; s++, row += stride) put(numbers, s, level(v128.load(row), minimum, factor));
}

/** The halves of the lanes of `after` where `changed` is set. */
function store4Halves(to: usize, before: v128, after: v128, changed: v128): void {
  const x = v128.bitselect(after, before, changed);
  // A channel of nothing but NaN has a minimum of infinity, which is held within the halves.
  const half = floatToHalf(x);
  v128.store64_lane(to, i16x8.narrow_i32x4_u(half, half), 0);
}

/** Four numbers of one slot, a byte each, into the halves of bytes that are its own. */
// @ts-ignore: decorator
@inline export function put(numbers: usize, s: i32, bytes: u32): void {
  const at = numbers + (<usize>(s & 15) << 2);
  const word = load<u32>(at);
  store<u32>(at, s & 16 ? (word & 0x0f0f0f0f) | (bytes << 4) : (word & 0xf0f0f0f0) | bytes);
}

/** Likewise of a value, from channel c on. */
// @ts-ignore: decorator
@inline export function putValue(numbers: usize, d: i32, s: i32, c: i32, bytes: u32): void {
  const mask: u8 = s & 4 ? 0x0f : 0xf0;
  const shift: u32 = s & 4 ? 4 : 0;
  let to = numbers + <usize>((s & 3) * (d << 2) + (s >> 3) + (c << 2));
  for (let j = 0; j < 4; j++, to += 4) {
    store<u8>(to, (load<u8>(to) & mask) | <u8>((bytes & 15) << shift));
    bytes >>= 8;
  }
}

function writeValue(x: usize, sound: bool, d: i32, page: usize, s: i32): void {
  const groups = groupsOf(d);
  const halves = scalesV4(page, d) + (<usize>s << 1);
  for (let g = 0; g < groups; g++) {
    const channels = min(32, d - (g << 5));
    const from = x + (<usize>g << 7);
    let low = f32x4.splat(Infinity), high = f32x4.splat(-Infinity);
    for (let c: usize = 0; c < <usize>channels << 2; c += 16) {
      low = smaller(low, v128.load(from + c));
      high = larger(high, v128.load(from + c));
    }
    const at = halves + (<usize>g << 6);
    const minimumAt = at + <usize>(groups * SLOTS << 1);
    v128.store16_lane(minimumAt, floatToHalf(f32x4.splat(-largest(f32x4.neg(low)))), 0);
    const minimum = halfToFloat(i32x4.splat(<i32>load<i16>(minimumAt)));
    v128.store16_lane(at, floatToHalf(f32x4.splat((largest(high) - f32x4.extract_lane(minimum, 0)) / 15)), 0);
    const factor = inverse(halfToFloat(i32x4.splat(<i32>load<i16>(at))));
    for (let c = 0; c < channels; c += 4) {
      putValue(values4(page, d), d, s, (g << 5) + c, level(v128.load(from + (<usize>c << 2)), minimum, factor));
    }
    if (!sound) {
      store<u16>(at, NAN);
      store<u16>(minimumAt, NAN);
    }
  }
}
