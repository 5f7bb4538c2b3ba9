import { LociError } from '../errors.ts';
import { floatToHalf } from './half.ts';

/** Writes the block of the elements from `start` on to the zeroed bytes from `at` on. */
export type QuantizeBlock = (values: Float32Array, start: number, out: DataView, at: number) => void;

/** @throws LociError `bad-option` when no half is near enough. */
export function setHalf(out: DataView, at: number, value: number): void {
  const half = floatToHalf(value);
  if ((half & 0x7c00) === 0x7c00) {
    throw new LociError('bad-option', `a block needs the scale ${value}, but halves end at 65504: store it as F32`);
  }
  out.setUint16(at, half, true);
}
