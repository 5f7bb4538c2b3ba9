import { fc, test } from '@fast-check/vitest';
import { expect } from 'vitest';
import { Merger, type MergeTable } from './merge.ts';
import { OrderedQueue, orderOf, positionOf } from './ordered-queue.ts';
import { PairTable } from './pair-table.ts';

/** Merges among the symbols 0 … 9, which they also make; ranks may tie. */
function tableOf(entries: readonly (readonly [left: number, right: number, rank: number])[]): MergeTable {
  const index = new Map<string, number>();
  for (const [left, right] of entries) if (!index.has(`${left},${right}`)) index.set(`${left},${right}`, index.size);
  const kept = [...index.keys()].map((key) => entries.find(([left, right]) => key === `${left},${right}`));
  return {
    find: (left, right) => index.get(`${left},${right}`) ?? -1,
    rank: Int32Array.from(kept, (entry) => entry?.[2] ?? 0),
    result: Int32Array.from(kept, (_, i) => (7 * i) % 10),
  };
}

/** The definition: look at all neighbours, merge the best, start again. */
function mergeSlowly(symbols: readonly number[], table: MergeTable): number[] {
  const list = [...symbols];
  for (;;) {
    const candidates = list.slice(1).map((right, at) => ({ at, entry: table.find(list[at] ?? -1, right) }));
    const found = candidates.filter(({ entry }) => entry >= 0);
    if (found.length === 0) return list;
    const rank = (entry: number): number => table.rank[entry] ?? 0;
    const best = found.reduce((a, b) => (rank(b.entry) < rank(a.entry) ? b : a));
    list.splice(best.at, 2, table.result[best.entry] ?? -1);
  }
}

const symbol = fc.nat(9);
const entries = fc.array(fc.tuple(symbol, symbol, fc.nat(12)), { maxLength: 40, size: 'max' });
/** Both sides of the length from which a heap is used. */
const symbols = fc.array(fc.nat(3), { maxLength: 160, size: 'max' });

test.prop([entries, symbols], { numRuns: 300 })(
  'short scan and heap both give what the definition gives',
  (list, input) => {
    const table = tableOf(list);
    const buffer = Int32Array.from(input);
    const count = new Merger(table).merge(buffer, buffer.length);
    expect(Array.from(buffer.subarray(0, count))).toEqual(mergeSlowly(input, table));
  },
);

test.prop([fc.array(fc.tuple(fc.nat(2 ** 21 - 1), fc.nat(2 ** 32 - 2)), { maxLength: 300 })])(
  'the queue yields all pairs by order, then by position',
  (pairs) => {
    const queue = new OrderedQueue();
    for (const [order, position] of pairs) queue.push(order, position);
    const popped = pairs.map(() => {
      const key = queue.pop();
      return [orderOf(key), positionOf(key)];
    });
    expect(queue.size).toBe(0);
    expect(popped).toEqual(pairs.toSorted(([a, p], [b, q]) => a - b || p - q));
  },
);

const id = fc.oneof(fc.nat(40), fc.nat(2 ** 31 - 1));

test.prop([fc.array(fc.tuple(id, id, fc.integer({ min: -1, max: 2 ** 30 })), { maxLength: 200, size: 'max' }), id, id])(
  'a pair table agrees with a map',
  (pairs, left, right) => {
    const table = new PairTable(0);
    const map = new Map<string, number>();
    for (const [a, b, value] of pairs) {
      table.set(a, b, value);
      map.set(`${a},${b}`, value);
    }
    expect(table.size).toBe(map.size);
    for (const [a, b] of pairs) expect(table.get(a, b)).toBe(map.get(`${a},${b}`));
    expect(table.get(left, right)).toBe(map.get(`${left},${right}`) ?? PairTable.absent);
    table.clear();
    expect(table.get(left, right)).toBe(PairTable.absent);
  },
);
