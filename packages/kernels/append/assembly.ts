import { address, int, take } from '../assembly/args';
import { floatToHalf, largest, rounded } from '../assembly/simd';
import { write4 } from './int4.assembly';
import { writeSlot } from './kv4.assembly';
import { F16, F32, headOf, KV4, minimaK, pageOf, Q4, scalesK, scalesV, slotBytesK, slotBytesV, sizeOf, slotK, SLOTS, slotV, tableOf, usedOf } from './page.assembly';

/**
 * Writes the keys and values of n tokens into the pages of every key/value head, behind the slots that are used.
 * Arguments: keys [n, g, d], values [n, g, d], n, g, d, heads [g] (see page.assembly.ts), positions [n], store.
 */
export function append(args: usize, counter: usize): void {
  const keys = address(args, 0);
  const values = address(args, 1);
  const n = int(args, 2);
  const heads = int(args, 3);
  const d = int(args, 4);
  const table = address(args, 5);
  const positions = address(args, 6);
  const format = int(args, 7);
  const rowBytes = <usize>d << 2;
  const stride = <usize>heads * rowBytes;
  // An item is what goes into one page: a line of keys holds all slots of a channel, and threads would tear it apart.
  const items = (((n + SLOTS - 2) >> 5) + 1) * heads;
  for (let item = take(counter); item < items; item = take(counter)) {
    const head = item % heads;
    const entry = headOf(table, head);
    const used = usedOf(entry);
    const start = ((used >> 5) + item / heads) << 5;
    const first = max(start, used), end = min(start + SLOTS, used + n);
    if (first >= end) continue;
    const page = pageOf(tableOf(entry), start);
    const from = first & (SLOTS - 1), to = from + end - first;
    const t = <usize>(first - used);
    // Whatever stood in a new page: slots that were never written are read too, and must hold finite numbers.
    if (from == 0 && to < SLOTS) memory.fill(page, 0, sizeOf(d, format));
    memory.copy(page + (<usize>from << 2), positions + (t << 2), <usize>(end - first) << 2);
    let k = keys + (t * heads + head) * rowBytes, v = values + (t * heads + head) * rowBytes;
    if (format == Q4) {
      // Scales belong to the page, not to a slot.
      write4(k, v, stride, d, page, from, to);
      continue;
    }
    for (let slot = from; slot < to; slot++, k += stride, v += stride) {
      if (format == F32) writeFloats(k, v, d, slotK(page, slot, format), slotV(page, d, slot, format));
      else if (format == F16) writeHalves(k, v, d, slotK(page, slot, format), slotV(page, d, slot, format));
      else if (format == KV4) writeSlot(k, v, d, page, slot);
      else {
        const at = <usize>slot << 2;
        writeKeyBytes(k, d, slotBytesK(page, slot), scalesK(page, d) + at, minimaK(page, d) + at);
        store<f32>(scalesV(page, d) + at, writeValueBytes(v, d, slotBytesV(page, d, slot)));
      }
    }
  }
}

// @ts-ignore: decorator
@inline function writeFloats(keys: usize, values: usize, d: i32, k: usize, v: usize): void {
  for (let c: usize = 0; c < <usize>d; c++) {
    store<f32>(k + ((c * SLOTS) << 2), load<f32>(keys + (c << 2)));
    store<f32>(v + (c << 2), load<f32>(values + (c << 2)));
  }
}

/** A NaN anywhere in the two rows is also put in the key's first channel, the only one where `attend` looks for it. */
function writeHalves(keys: usize, values: usize, d: i32, k: usize, v: usize): void {
  let sound = i32x4.splat(-1);
  const first = k;
  for (const end = keys + (<usize>d << 2); keys < end; keys += 32) {
    const a = v128.load(keys), b = v128.load(keys, 16), x = v128.load(values), y = v128.load(values, 16);
    const key = i16x8.narrow_i32x4_u(floatToHalf(a), floatToHalf(b));
    const value = i16x8.narrow_i32x4_u(floatToHalf(x), floatToHalf(y));
    sound = v128.and(sound, v128.and(v128.and(f32x4.eq(a, a), f32x4.eq(b, b)), v128.and(f32x4.eq(x, x), f32x4.eq(y, y))));
    v128.store16_lane(k, key, 0);
    v128.store16_lane(k, key, 1, 64);
    v128.store16_lane(k, key, 2, 128);
    v128.store16_lane(k, key, 3, 192);
    v128.store16_lane(k, key, 4, 256);
    v128.store16_lane(k, key, 5, 320);
    v128.store16_lane(k, key, 6, 384);
    v128.store16_lane(k, key, 7, 448);
    v128.store(v, value);
    k += 512;
    v += 16;
    values += 32;
  }
  if (!i32x4.all_true(sound)) store<u16>(first, 0x7e00);
}

/** Seven bits between the smallest and the largest channel. */
function writeKeyBytes(x: usize, d: i32, out: usize, scale: usize, minimum: usize): void {
  const end = x + (<usize>d << 2);
  let low = f32x4.splat(Infinity), high = f32x4.splat(-Infinity), sound = i32x4.splat(-1);
  for (let at = x; at < end; at += 16) {
    const v = v128.load(at);
    low = f32x4.pmin(low, v);
    high = f32x4.pmax(high, v);
    sound = v128.and(sound, f32x4.eq(v, v));
  }
  const least: f32 = i32x4.all_true(sound) ? -largest(f32x4.neg(low)) : NaN;
  const range = largest(high) - least;
  const lows = f32x4.splat(least), inverse = f32x4.splat(range > 1e-36 ? <f32>127 / range : 0);
  for (; x < end; x += 64, out += 512) {
    const i0 = rounded(f32x4.mul(f32x4.sub(v128.load(x), lows), inverse));
    const i1 = rounded(f32x4.mul(f32x4.sub(v128.load(x, 16), lows), inverse));
    const i2 = rounded(f32x4.mul(f32x4.sub(v128.load(x, 32), lows), inverse));
    const i3 = rounded(f32x4.mul(f32x4.sub(v128.load(x, 48), lows), inverse));
    const levels = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(i0, i1), i16x8.narrow_i32x4_s(i2, i3));
    v128.store32_lane(out, levels, 0);
    v128.store32_lane(out, levels, 1, 128);
    v128.store32_lane(out, levels, 2, 256);
    v128.store32_lane(out, levels, 3, 384);
  }
  store<f32>(scale, range / 127);
  store<f32>(minimum, least);
}

/** Symmetric bytes, 4 apart; returns their scale. */
function writeValueBytes(x: usize, d: i32, out: usize): f32 {
  const end = x + (<usize>d << 2);
  let most = i32x4.splat(0);
  // Without their sign floats compare as whole numbers, NaN above all.
  for (let at = x; at < end; at += 16) most = i32x4.max_u(most, i32x4.shl(v128.load(at), 1));
  most = i32x4.max_u(most, v128.shuffle<i32>(most, most, 2, 3, 0, 1));
  most = i32x4.max_u(most, v128.shuffle<i32>(most, most, 1, 0, 3, 2));
  const magnitude = f32x4.extract_lane(i32x4.shr_u(most, 1), 0);
  const inverse = f32x4.splat(magnitude > 1e-36 ? <f32>127 / magnitude : 0);
  for (; x < end; x += 16, out += 16) {
    const whole = rounded(f32x4.mul(v128.load(x), inverse));
    v128.store8_lane(out, whole, 0);
    v128.store8_lane(out, whole, 4, 4);
    v128.store8_lane(out, whole, 8, 8);
    v128.store8_lane(out, whole, 12, 12);
  }
  return magnitude / 127;
}
