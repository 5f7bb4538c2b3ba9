// Writing into pages whose slots stand each for themselves in 4 bits (Lin et al. 2024, QServe, arXiv 2405.04532): a key and
// a value have a scale and a minimum of their own, so that no slot is ever rounded twice.
import { floatToHalf, halfToFloat, larger, largest, smaller } from '../assembly/simd';
import { inverse, isSound, level, NAN, put, putValue } from './int4.assembly';
import { keysOf, scalesK4, SLOTS, values4 } from './page.assembly';

/** A key and a value into one slot. A NaN in either shows in all four halves. */
export function writeSlot(key: usize, value: usize, d: i32, page: usize, s: i32): void {
  const halves = scalesK4(page, d) + (<usize>s << 1);
  const keyFactor = bounds(key, d, halves), keyMinimum = floatAt(halves + 2 * SLOTS);
  const valueFactor = bounds(value, d, halves + 4 * SLOTS), valueMinimum = floatAt(halves + 6 * SLOTS);
  for (let c = 0; c < d; c += 4) {
    const at = <usize>c << 2;
    put(keysOf(page) + (at << 2), s, level(v128.load(key + at), keyMinimum, keyFactor));
    putValue(values4(page, d), d, s, c, level(v128.load(value + at), valueMinimum, valueFactor));
  }
  if (isSound(key, d) && isSound(value, d)) return;
  for (let i: usize = 0; i < 8 * SLOTS; i += 2 * SLOTS) store<u16>(halves + i, NAN);
}

/** Writes the scale of a row and, 32 halves behind it, its minimum; returns the scale's inverse. */
function bounds(x: usize, d: i32, to: usize): v128 {
  let low = f32x4.splat(Infinity), high = f32x4.splat(-Infinity);
  for (const end = x + (<usize>d << 2); x < end; x += 16) {
    low = smaller(low, v128.load(x));
    high = larger(high, v128.load(x));
  }
  v128.store16_lane(to + 2 * SLOTS, floatToHalf(f32x4.splat(-largest(f32x4.neg(low)))), 0);
  const minimum = f32x4.extract_lane(floatAt(to + 2 * SLOTS), 0);
  v128.store16_lane(to, floatToHalf(f32x4.splat((largest(high) - minimum) / 15)), 0);
  return inverse(floatAt(to));
}

// @ts-ignore: decorator
@inline function floatAt(half: usize): v128 {
  return halfToFloat(i32x4.splat(<i32>load<i16>(half)));
}
