import { pageSlots } from '../append/index.ts';
import { type BlockLists, listWords } from '../attend/index.ts';
import type { Machine } from './machine.ts';

/** The slots that a list names, ascending. */
export function readList(machine: Machine, lists: BlockLists, block: number, head: number): number[] {
  const words = listWords(lists.capacity);
  const [count = 0, ...entries] = machine.ints(lists.address + 4 * (block * lists.heads + head) * words, words);
  if (count > lists.capacity) throw new RangeError(`${count} pages in a list with room for ${lists.capacity}`);
  return Array.from({ length: count }, (_, i) => entries.slice(2 * i, 2 * i + 2)).flatMap(([page = 0, set = 0]) =>
    Array.from({ length: pageSlots }, (_, s) => s)
      .filter((s) => (set >>> s) & 1)
      .map((s) => page * pageSlots + s),
  );
}
