import { floatToHalf, halfToFloat } from './half.ts';
import { type QuantizeBlock, setHalf } from './quantize-block.ts';

/** Eight groups of 32 with a scale and a minimum of 6 bits each. Elements that fit the range exactly stay exact. */
export const quantizeQ4_K: QuantizeBlock = (values, start, out, at) => {
  const scales = new Float32Array(8);
  const minima = new Float32Array(8);
  for (let g = 0; g < 8; g++) {
    // The format subtracts a minimum that is not negative, so zero is always inside the range.
    let low = 0;
    let high = 0;
    for (let i = 0; i < 32; i++) {
      low = Math.min(low, values[start + g * 32 + i]!);
      high = Math.max(high, values[start + g * 32 + i]!);
    }
    scales[g] = (high - low) / 15;
    minima[g] = -low;
  }
  const d = setScale(out, at, Math.max(...scales) / 63);
  const dMin = setScale(out, at + 2, Math.max(...minima) / 63);
  for (let g = 0; g < 8; g++) {
    const s = quotient(scales[g]!, d, 63);
    const m = quotient(minima[g]!, dMin, 63);
    setScales6(out, at + 4, g, s, m);
    const shift = g & 1 ? 4 : 0;
    for (let i = 0; i < 32; i++) {
      const q = quotient(values[start + g * 32 + i]! + dMin * m, d * s, 15);
      const byte = at + 16 + (g >> 1) * 32 + i;
      out.setUint8(byte, shift === 0 ? q : out.getUint8(byte) | (q << 4));
    }
  }
};

function setScales6(out: DataView, at: number, g: number, s: number, m: number): void {
  if (g < 4) {
    out.setUint8(at + g, s);
    out.setUint8(at + 4 + g, m);
  } else {
    out.setUint8(at + 4 + g, (s & 15) | ((m & 15) << 4));
    out.setUint8(at + g - 4, out.getUint8(at + g - 4) | ((s >> 4) << 6));
    out.setUint8(at + g, out.getUint8(at + g) | ((m >> 4) << 6));
  }
}

/** Sixteen groups of 16 with a signed 8-bit scale each. */
export const quantizeQ6_K: QuantizeBlock = (values, start, out, at) => {
  const scales = new Float32Array(16);
  for (let g = 0; g < 16; g++) {
    let extreme = 0;
    for (let i = 0; i < 16; i++) {
      const value = values[start + g * 16 + i]!;
      if (Math.abs(value) > Math.abs(extreme)) extreme = value;
    }
    // −32 is the longest arm of the range, so the extreme goes there whatever its sign.
    scales[g] = extreme / -32;
  }
  const d = setScale(out, at + 208, Math.max(...scales.map(Math.abs)) / 127);
  for (let i = 0; i < 192; i++) out.setUint8(at + i, 0);
  for (let g = 0; g < 16; g++) {
    const s = Math.sign(scales[g]!) * quotient(Math.abs(scales[g]!), d, 127);
    out.setInt8(at + 192 + g, s);
    for (let i = 0; i < 16; i++) {
      const e = g * 16 + i;
      const q = quotient(values[start + e]! + 32 * d * s, d * s, 63);
      const low = at + (e >> 7) * 64 + (e & 63);
      const high = at + 128 + (e >> 7) * 32 + (e & 31);
      out.setUint8(low, out.getUint8(low) | ((q & 15) << (e & 64 ? 4 : 0)));
      out.setUint8(high, out.getUint8(high) | ((q >> 4) << (((e >> 5) & 3) * 2)));
    }
  }
};

/** Writes a scale as a half and returns what a reader will find. */
function setScale(out: DataView, at: number, value: number): number {
  setHalf(out, at, value);
  return halfToFloat[floatToHalf(value)]!;
}

/** The whole number from 0 to `highest` nearest to value / unit; 0 when the unit is 0. */
function quotient(value: number, unit: number, highest: number): number {
  return unit === 0 ? 0 : Math.max(0, Math.min(highest, Math.round(value / unit)));
}
