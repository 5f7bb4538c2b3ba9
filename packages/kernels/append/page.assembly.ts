// AssemblyScript. The layout of one page of the key/value cache: up to 32 slots of one head of one layer.
//   positions  i32 [32]
// in float32 and half precision
//   keys       [d][32]   channel by channel, so that 4 slots are one vector; in half precision the first channel is NaN
//                        when any number of the slot's key or value is
//   values     [32][d]   slot by slot
// in 8 bits, so that four bytes of a product stand together
//   keys       [d / 4][32][4]   0 … 127: key = scale · byte + minimum
//   values     [8][d][4]        −127 … 127, four slots together: value = scale · byte
//   f32 [32] scales of the keys, f32 [32] their minima, f32 [32] scales of the values
// index.ts of this folder states the same sizes for the host.

// @ts-ignore: decorator
@inline export const SLOTS: i32 = 32;
// @ts-ignore: decorator
@inline export const F32: i32 = 0;
// @ts-ignore: decorator
@inline export const F16: i32 = 1;
// @ts-ignore: decorator
@inline export const Q8: i32 = 2;

// @ts-ignore: decorator
@inline function elementShift(format: i32): i32 {
  return format == F32 ? 2 : format == F16 ? 1 : 0;
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
  return valuesOf(page, d, Q8) + <usize>((slot >> 2) * (d << 2) + (slot & 3));
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
