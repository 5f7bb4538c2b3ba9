import { address, int, take } from '../assembly/args';
import { floatToHalf } from '../assembly/simd';
import { write4 } from './int4.assembly';
import { F16, F32, minimaK, pageOf, Q4, scalesK, scalesV, slotBytesK, slotBytesV, slotK, SLOTS, slotV } from './page.assembly';

/**
 * Writes the keys and values of n tokens into the pages of every key/value head, behind the slots that are used.
 * Arguments: keys [n, g, d], values [n, g, d], n, g, d, heads [g] of { page table, used slots }, positions [n], store.
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
  if (format == Q4) {
    appendPages(keys, values, n, heads, d, table, positions, counter);
    return;
  }
  for (let t = take(counter); t < n; t = take(counter)) {
    for (let head = 0; head < heads; head++) {
      const entry = table + (<usize>head << 3);
      const index = load<i32>(entry, 4) + t;
      const page = pageOf(load<u32>(entry), index);
      const slot = index & (SLOTS - 1);
      const row = (<usize>t * heads + head) * rowBytes;
      store<i32>(page + (<usize>slot << 2), load<i32>(positions + (<usize>t << 2)));
      if (format == F32) writeFloats(keys + row, values + row, d, slotK(page, slot, format), slotV(page, d, slot, format));
      else if (format == F16) writeHalves(keys + row, values + row, d, slotK(page, slot, format), slotV(page, d, slot, format));
      else {
        const at = <usize>slot << 2;
        writeKeyBytes(keys + row, d, slotBytesK(page, slot), scalesK(page, d) + at, minimaK(page, d) + at);
        store<f32>(scalesV(page, d) + at, writeValueBytes(values + row, d, slotBytesV(page, d, slot)));
      }
    }
  }
}

/** Where scales belong to a page, its slots are written by one thread. */
function appendPages(
  keys: usize, values: usize, n: i32, heads: i32, d: i32, table: usize, positions: usize, counter: usize,
): void {
  const most = (n + SLOTS - 1) / SLOTS + 1;
  const stride = <usize>(heads * d) << 2;
  for (let item = take(counter); item < heads * most; item = take(counter)) {
    const head = item % heads;
    const entry = table + (<usize>head << 3);
    const used = load<i32>(entry, 4);
    const first = ((used >> 5) + item / heads) << 5;
    const from = max(used, first);
    const to = min(used + n, first + SLOTS);
    if (from >= to) continue;
    const page = pageOf(load<u32>(entry), first);
    const row = <usize>(from - used) * stride + (<usize>(head * d) << 2);
    memory.copy(page + (<usize>(from - first) << 2), positions + (<usize>(from - used) << 2), <usize>(to - from) << 2);
    write4(keys + row, values + row, stride, d, page, from - first, to - first);
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
// @ts-ignore: decorator
@inline function writeHalves(keys: usize, values: usize, d: i32, k: usize, v: usize): void {
  let sound = true;
  for (let c: usize = 0; c < <usize>d; c++) {
    const key = load<f32>(keys + (c << 2));
    const value = load<f32>(values + (c << 2));
    sound = sound && key == key && value == value;
    store<u16>(k + ((c * SLOTS) << 1), <u16>floatToHalf(key));
    store<u16>(v + (c << 1), <u16>floatToHalf(value));
  }
  if (!sound) store<u16>(k, <u16>floatToHalf(NaN));
}

/** Seven bits between the smallest and the largest channel. */
function writeKeyBytes(x: usize, d: i32, out: usize, scale: usize, minimum: usize): void {
  let low: f32 = Infinity;
  let high: f32 = -Infinity;
  for (let c: usize = 0; c < <usize>d; c++) {
    const value = load<f32>(x + (c << 2));
    low = min<f32>(low, value);
    high = max<f32>(high, value);
  }
  const range = high - low;
  const inverse: f32 = range > 1e-36 ? <f32>127 / range : 0;
  for (let c: usize = 0; c < <usize>d; c++) {
    const level = nearest<f32>((load<f32>(x + (c << 2)) - low) * inverse);
    store<u8>(out + ((c & ~3) << 5) + (c & 3), <u8>level);
  }
  store<f32>(scale, range / 127);
  store<f32>(minimum, low);
}

/** Symmetric bytes, 4 apart; returns their scale. */
function writeValueBytes(x: usize, d: i32, out: usize): f32 {
  let largest: f32 = 0;
  for (let c: usize = 0; c < <usize>d; c++) largest = max<f32>(largest, abs<f32>(load<f32>(x + (c << 2))));
  const inverse: f32 = largest > 1e-36 ? <f32>127 / largest : 0;
  for (let c: usize = 0; c < <usize>d; c++) {
    store<i8>(out + (c << 2), <i8>nearest<f32>(load<f32>(x + (c << 2)) * inverse));
  }
  return largest / 127;
}
