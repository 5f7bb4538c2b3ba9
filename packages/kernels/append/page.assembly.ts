// AssemblyScript. The layout of one page of the key/value cache: up to 32 slots of one head of one layer.
//   positions  i32 [32]
// in float32 and half precision
//   keys       [d][32]   channel by channel, so that 4 slots are one vector; in half precision the first channel is NaN
//                        when any number of the slot's key or value is
//   values     [32][d]   slot by slot
// in 8 bits, so that four bytes of a product stand together
//   keys       [d / 4][32][4]   0 … 127: key = scale · byte + minimum
//   values     [8][d][4]        −127 … 127, slots s, s + 8, s + 16 and s + 24 together: value = scale · byte
//   f32 [32] scales of the keys, f32 [32] their minima, f32 [32] scales of the values
// in 4 bits, two numbers of 0 … 15 to a byte: what are [8] steps of keys' or values' slots in 8 bits are the low halves of
// [4] and then the high halves
//   keys       [d / 4][16][4]   slots s and s + 16: key = scale · number + minimum, both per channel
//   values     [4][d][4]        likewise, both per slot and group of 32 channels, [groups][32], and
//                               NaN when any number of the slot's key or value is
//   f16 [d] scales of the keys, [d] their minima, [groups][32] scales of the values, [groups][32] their minima
// in 4 bits slot by slot, numbers as in 4 bits
//   f16 [32] scales of the keys, [32] their minima, [32] scales of the values, [32] their minima; all four are NaN when any
//   number of the slot's key or value is
// index.ts of this folder states the same sizes for the host.

// @ts-ignore: decorator
@inline export const SLOTS: i32 = 32;
/** The set of all of them. */
// @ts-ignore: decorator
@inline export const ALL_SLOTS: i32 = -1;
// @ts-ignore: decorator
@inline export const F32: i32 = 0;
// @ts-ignore: decorator
@inline export const F16: i32 = 1;
// @ts-ignore: decorator
@inline export const Q8: i32 = 2;
// @ts-ignore: decorator
@inline export const Q4: i32 = 3;
// @ts-ignore: decorator
@inline export const KV4: i32 = 4;

// @ts-ignore: decorator
@inline function elementShift(format: i32): i32 {
  return format == F32 ? 2 : format == F16 ? 1 : 0;
}

// What the kernels know of a key/value head, 32 bytes: u32 address of its page table, i32 used slots, i32 sinks and
// i32 window (a key is seen when its position is below the sinks or less than the window behind the query; 0: no window),
// f32 bits added to the scores of its first slot.

// @ts-ignore: decorator
@inline export function headOf(heads: usize, head: i32): usize {
  return heads + (<usize>head << 5);
}

// @ts-ignore: decorator
@inline export function tableOf(head: usize): usize {
  return <usize>load<u32>(head);
}

// @ts-ignore: decorator
@inline export function usedOf(head: usize): i32 {
  return load<i32>(head, 4);
}

// @ts-ignore: decorator
@inline export function sinksOf(head: usize): i32 {
  return load<i32>(head, 8);
}

/** The narrower of the head's window and the layer's; 0 where neither has one. */
// @ts-ignore: decorator
@inline export function windowOf(head: usize, layer: i32): i32 {
  const own = load<i32>(head, 12);
  return own && (own < layer || !layer) ? own : layer;
}

// @ts-ignore: decorator
@inline export function biasOf(head: usize): f32 {
  return load<f32>(head, 16);
}

// @ts-ignore: decorator
@inline export function pageOf(table: usize, slot: i32): usize {
  return <usize>load<u32>(table + (<usize>(slot >> 5) << 2));
}

// @ts-ignore: decorator
@inline export function keysOf(page: usize): usize {
  return page + 128;
}

// @ts-ignore: decorator
@inline export function valuesOf(page: usize, d: i32, format: i32): usize {
  return page + 128 + (<usize>(d * SLOTS) << elementShift(format));
}

/** First key byte of a slot in 8 bits; channel c lies at 32 · (c & ~3) + (c & 3) behind it. */
// @ts-ignore: decorator
@inline export function slotBytesK(page: usize, slot: i32): usize {
  return keysOf(page) + (<usize>slot << 2);
}

/** First value byte of a slot in 8 bits; channel c lies at 4 c behind it. */
// @ts-ignore: decorator
@inline export function slotBytesV(page: usize, d: i32, slot: i32): usize {
  return valuesOf(page, d, Q8) + <usize>((slot & 7) * (d << 2) + (slot >> 3));
}

// @ts-ignore: decorator
@inline export function slotK(page: usize, slot: i32, format: i32): usize {
  return keysOf(page) + (<usize>slot << elementShift(format));
}

// @ts-ignore: decorator
@inline export function slotV(page: usize, d: i32, slot: i32, format: i32): usize {
  return valuesOf(page, d, format) + (<usize>(slot * d) << elementShift(format));
}

// @ts-ignore: decorator
@inline export function scalesK(page: usize, d: i32): usize {
  return page + 128 + <usize>(2 * d * SLOTS);
}

// @ts-ignore: decorator
@inline export function minimaK(page: usize, d: i32): usize {
  return scalesK(page, d) + 128;
}

// @ts-ignore: decorator
@inline export function scalesV(page: usize, d: i32): usize {
  return scalesK(page, d) + 256;
}

/** Groups of 32 channels; the last may have 16. */
// @ts-ignore: decorator
@inline export function groupsOf(d: i32): i32 {
  return (d + 31) >> 5;
}

// @ts-ignore: decorator
@inline export function values4(page: usize, d: i32): usize {
  return page + 128 + <usize>(d << 4);
}

/** The halves of a page of 4 bits: scales of the keys; their minima lie d halves behind, slot by slot 32. */
// @ts-ignore: decorator
@inline export function scalesK4(page: usize, d: i32): usize {
  return page + 128 + <usize>(d << 5);
}

/** Scales of the values, 32 to a group; their minima lie 32 · groups halves behind. */
// @ts-ignore: decorator
@inline export function scalesV4(page: usize, d: i32): usize {
  return scalesK4(page, d) + <usize>(d << 2);
}

/** Bytes of a page. */
export function sizeOf(d: i32, format: i32): usize {
  if (format == Q4) return scalesV4(0, d) + <usize>(groupsOf(d) << 7);
  if (format == KV4) return scalesK4(0, d) + 8 * SLOTS;
  if (format == Q8) return scalesV(0, d) + 128;
  return valuesOf(0, d, format) + (<usize>(d * SLOTS) << elementShift(format));
}
