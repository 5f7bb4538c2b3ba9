import { headBytes, headWordOfUsed } from '../append/index.ts';

/** The entries of heads with one more used slot each. */
export function advanceReference(entries: Int32Array): Int32Array {
  return entries.map((word, i) => (i % (headBytes / 4) === headWordOfUsed ? word + 1 : word));
}
