const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/**
 * The binary16 pattern (IEEE 754-2019, 3.6) nearest to a float32 value, ties to even; beyond ±65520 infinity, any NaN the
 * quiet one. `Float16Array` would do, but not in every browser.
 */
export function floatToHalf(value: number): number {
  float[0] = value;
  const sign = (bits[0]! >>> 16) & 0x8000;
  const magnitude = bits[0]! & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // Below 2^-14 halves are multiples of 2^-24; adding and taking away 2^52 rounds a double to an integer, ties to even.
  if (magnitude < 0x38800000) return sign | (Math.abs(float[0]!) * 2 ** 24 + 2 ** 52 - 2 ** 52);
  return sign | ((magnitude + 0xfff + ((magnitude >>> 13) & 1) - 0x38000000) >>> 13);
}
