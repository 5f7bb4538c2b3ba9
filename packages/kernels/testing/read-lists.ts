import { pageSlots } from '../append/index.ts';
import { type BlockLists, listWords } from '../attend/index.ts';
import type { Machine } from './machine.ts';

/** The slots that a list names, ascending. */
export function readList(machine: Machine, lists: BlockLists, block: number, head: number): number[] {
  const words = listWords(lists.capacity);
  const [count = 0, ...entries] = machine.ints(lists.address + 4 * (block * lists.heads + head) * words, words);
  if (count > lists.capacity) throw new RangeError(`${count} pages in a list with room for ${lists.capacity}`);
  return Array.from({ length: count }, (_, i) => slotsOf(entries[2 * i] ?? 0, entries[2 * i + 1] ?? 0)).flat();
}

/** The slots of a page that a set names. */
export function slotsOf(page: number, set: number): number[] {
  return Array.from({ length: pageSlots }, (_, s) => s)
    .filter((s) => ((set >>> s) & 1) === 1)
    .map((s) => page * pageSlots + s);
}
