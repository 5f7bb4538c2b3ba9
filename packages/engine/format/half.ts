/**
 * The two 16-bit floats of weight files: binary16 ("half", IEEE 754-2019, 3.6) and bfloat16 (the upper half of a
 * float32). A table is used rather than `Float16Array` because it is as fast and runs in every browser.
 */

export { floatToHalf } from '@loci/kernels';

/** The float32 value of every binary16 bit pattern. */
export const halfToFloat: Float32Array = buildHalfTable();

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

function buildHalfTable(): Float32Array {
  const table = new Float32Array(65536);
  for (let pattern = 0; pattern < 65536; pattern++) {
    const sign = pattern & 0x8000 ? -1 : 1;
    const exponent = (pattern >> 10) & 31;
    const fraction = pattern & 1023;
    if (exponent === 31) table[pattern] = fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    else if (exponent === 0) table[pattern] = sign * fraction * 2 ** -24;
    else table[pattern] = sign * (1024 + fraction) * 2 ** (exponent - 25);
  }
  return table;
}

/** The bfloat16 pattern nearest to a float32 value, ties to even. */
export function floatToBfloat(value: number): number {
  float[0] = value;
  const pattern = bits[0]!;
  if ((pattern & 0x7fffffff) > 0x7f800000) return (pattern >>> 16) | 0x40;
  return ((pattern + 0x7fff + ((pattern >>> 16) & 1)) >>> 16) & 0xffff;
}
