import { headBytes, headWordOfUsed } from '../append/index.ts';

/** The entries of heads [count] with n more used slots each. */
export function advanceReference(entries: Int32Array, n: number): Int32Array {
  return entries.map((word, i) => (i % (headBytes / 4) === headWordOfUsed ? word + n : word));
}
