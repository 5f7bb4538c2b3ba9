import { Random } from '@loci/evaluate';
import type { Model } from 'loci';
import { withChangedModel } from '../heads/changed-model.ts';

/** Bytes of a block of 32 weights, of which the first are its scale and, where it has one, its minimum. */
const blocks = new Map([
  ['Q4_0', { size: 18, head: 2 }],
  ['Q4_1', { size: 20, head: 4 }],
  ['Q8_0', { size: 34, head: 2 }],
]);

/**
 * Runs something with a bundled model whose matrices are random: every number of 4 or 8 bits is drawn anew, scales and minima stay, so
 * that magnitudes are those of the trained one. Undefined for a model that has no such file.
 */
export function withRandomWeights<T>(
  name: string,
  seed: number,
  work: (model: Model) => Promise<T>,
): Promise<T | undefined> {
  const random = new Random(`random weights ${seed}`);
  return withChangedModel(
    name,
    (bytes, tensors) => {
      for (const { type, offset, byteLength, shape } of tensors.values()) {
        if (shape.length < 2) continue;
        const block = blocks.get(type);
        if (!block) return false;
        const drawn = new Uint8Array(
          Uint32Array.from({ length: byteLength / 4 + 1 }, () => random.integer(0, 0xffffffff)).buffer,
        );
        for (let at = 0; at < byteLength; at += block.size) {
          bytes.set(drawn.subarray(at + block.head, at + block.size), offset + at + block.head);
        }
      }
      return true;
    },
    work,
  );
}
