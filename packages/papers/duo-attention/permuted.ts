import type { Architecture, Model } from 'loci';
import { withChangedModel } from '../heads/changed-model.ts';
import type { HeadSet } from '../heads/choose.ts';

/** Of every layer the key/value heads that stand first, second, …, by the numbers that they had. */
export type HeadOrder = readonly (readonly number[])[];

/** Heads that keep everything first, in the order in which they were, then the others. */
export function wholeFirst(set: HeadSet): HeadOrder {
  return set.map((heads) => {
    const numbers = heads.map((_, head) => head);
    return [...numbers.filter((head) => heads[head]), ...numbers.filter((head) => !heads[head])];
  });
}

/** Numbers of a layer's query heads in that order: a group stays with its key/value head. */
function queryHeads(order: readonly number[], group: number): number[] {
  return order.flatMap((head) => Array.from({ length: group }, (_, i) => head * group + i));
}

/** Formats whose blocks lie within a head, whatever the row. */
const splittable = new Set(['F32', 'F16', 'BF16', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0']);

/**
 * Runs something with a bundled model whose heads stand in another order (section 3.2 of the paper): rows of the query, key
 * and value matrices and columns of the output matrix, moved as they lie in the file, so that no number changes.
 * Undefined for a model that has no such file.
 */
export function withPermutedHeads<T>(
  { name, arch }: Pick<Model, 'name' | 'arch'>,
  order: HeadOrder,
  work: (model: Model) => Promise<T>,
): Promise<T | undefined> {
  const { heads, kvHeads, headSize } = arch;
  return withChangedModel(
    name,
    (bytes, tensors) => {
      for (const [layer, { tensors: names }] of arch.layers.entries()) {
        const own = order[layer] ?? [];
        const queries = queryHeads(own, heads / kvHeads);
        const parts: readonly [keyof Architecture['layers'][number]['tensors'], readonly number[]][] = [
          ['q', queries],
          ['k', own],
          ['v', own],
          ['o', queries],
        ];
        for (const [role, from] of parts) {
          const tensor = tensors.get(names[role] ?? '');
          if (!tensor || !splittable.has(tensor.type) || headSize % 32 !== 0) return false;
          const part = bytes.subarray(tensor.offset, tensor.offset + tensor.byteLength);
          // Heads of the output matrix lie side by side in every row, of the others one below the other.
          const rows = role === 'o' ? (tensor.shape[0] ?? 1) : 1;
          for (let row = 0; row < rows; row++)
            permute(part.subarray((row * part.length) / rows, ((row + 1) * part.length) / rows), from);
        }
      }
      return true;
    },
    work,
  );
}

/** Puts equal parts into another order. */
function permute(bytes: Uint8Array, from: readonly number[]): void {
  const was = bytes.slice();
  const size = bytes.length / from.length;
  for (const [to, part] of from.entries()) bytes.set(was.subarray(part * size, (part + 1) * size), to * size);
}
