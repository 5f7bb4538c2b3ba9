import type { Device } from '@loci/device';
import { headBytes, pageSlots } from '@loci/kernels';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { everything } from '../axes/keep.ts';
import { idleDevice } from '../testing/idle-device.ts';
import { KvCache } from './cache.ts';
import { PagePool } from './pool.ts';

const layers = 2;
const g = 2;
const d = 16;
const headWordCount = headBytes / 4;

let device: Device;
beforeAll(async () => {
  device = await idleDevice();
});

/** What the append kernel does, reduced to positions and one marked byte per slot. */
function write(cache: KvCache, positions: readonly number[], mark: number): void {
  cache.reserve(positions.length);
  for (let layer = 0; layer < layers; layer++) {
    const heads = device.ints(cache.headsOf(layer), g * headWordCount);
    for (let head = 0; head < g; head++) {
      const used = heads[headWordCount * head + 1] ?? 0;
      for (const [i, position] of positions.entries()) {
        const page = pageAt(heads[headWordCount * head] ?? 0, used + i);
        device.ints(page, pageSlots)[(used + i) % pageSlots] = position;
        device.bytes(page + 128, pageSlots)[(used + i) % pageSlots] = mark;
      }
    }
  }
  cache.commit(positions.length);
}

function pageAt(table: number, slot: number): number {
  return (device.ints(table >>> 0, Math.floor(slot / pageSlots) + 1)[Math.floor(slot / pageSlots)] ?? 0) >>> 0;
}

/** Positions and marks of one head as a kernel would find them. */
function read(cache: KvCache, layer: number, head: number): { positions: number[]; marks: number[] } {
  const entry = device.ints(cache.headsOf(layer, head), 2);
  const used = entry[1] ?? 0;
  const slots = Array.from({ length: used }, (_, slot) => ({
    page: pageAt(entry[0] ?? 0, slot),
    at: slot % pageSlots,
  }));
  return {
    positions: slots.map(({ page, at }) => device.ints(page, pageSlots)[at] ?? -1),
    marks: slots.map(({ page, at }) => device.bytes(page + 128, pageSlots)[at] ?? -1),
  };
}

type Step =
  | { readonly kind: 'append'; readonly cache: number; readonly n: number }
  | { readonly kind: 'truncate'; readonly cache: number; readonly keep: number }
  | { readonly kind: 'fork'; readonly cache: number }
  | { readonly kind: 'close'; readonly cache: number };

const index = fc.nat(5);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('append' as const), cache: index, n: fc.integer({ min: 1, max: 90 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('truncate' as const),
      cache: index,
      keep: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('fork' as const), cache: index }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('close' as const), cache: index }) },
);

describe('a paged cache', () => {
  test('holds what was written, whatever other sequences that share its pages do', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const pool = new PagePool(device, 'f16', d);
        const live = [
          { cache: new KvCache(device, pool, layers, g), positions: [] as number[], marks: [] as number[] },
        ];
        let mark = 0;
        for (const one of steps) {
          const target = live[one.cache % live.length];
          if (!target) break;
          if (one.kind === 'append') {
            mark = (mark + 1) % 250;
            const start = target.positions.length;
            const positions = Array.from({ length: one.n }, (_, i) => start + i);
            write(target.cache, positions, mark);
            target.positions.push(...positions);
            target.marks.push(...positions.map(() => mark));
          } else if (one.kind === 'truncate') {
            const keep = Math.floor(target.positions.length * one.keep);
            target.cache.truncate(keep);
            target.positions.length = keep;
            target.marks.length = keep;
          } else if (one.kind === 'fork') {
            live.push({ cache: target.cache.fork(), positions: [...target.positions], marks: [...target.marks] });
          } else if (live.length > 1) {
            target.cache.close();
            live.splice(live.indexOf(target), 1);
          }
        }
        for (const { cache, positions, marks } of live) {
          for (let layer = 0; layer < layers; layer++) {
            expect(cache.slotsOf(layer)).toBe(positions.length);
            for (let head = 0; head < g; head++) expect(read(cache, layer, head)).toEqual({ positions, marks });
          }
        }
        for (const { cache } of live) cache.close();
        expect(pool.pagesInUse).toBe(0);
        pool.close();
      }),
      { numRuns: 60 },
    );
  });

  test('counts the bytes of the pages it holds, and returns those that truncation empties', () => {
    const pool = new PagePool(device, 'q8', d);
    const cache = new KvCache(device, pool, layers, g);
    write(
      cache,
      Array.from({ length: 100 }, (_, i) => i),
      1,
    );
    expect(cache.bytes).toBe(4 * layers * g * pool.pageBytes);
    expect(pool.pagesInUse).toBe(4 * layers * g);
    cache.truncate(32);
    expect(cache.bytes).toBe(layers * g * pool.pageBytes);
    expect(pool.pagesInUse).toBe(layers * g);
    cache.close();
    pool.close();
  });

  test('shares pages after a fork until one of the two writes', () => {
    const pool = new PagePool(device, 'f16', d);
    const cache = new KvCache(device, pool, layers, g);
    write(
      cache,
      Array.from({ length: 40 }, (_, i) => i),
      1,
    );
    const fork = cache.fork();
    expect(pool.pagesInUse).toBe(2 * layers * g);
    write(fork, [40], 2);
    // Only the last, half-filled page of each head was copied.
    expect(pool.pagesInUse).toBe(3 * layers * g);
    expect(read(cache, 0, 0).positions).toHaveLength(40);
    fork.close();
    cache.close();
    expect(pool.pagesInUse).toBe(0);
    pool.close();
  });

  test('a head that keeps everything keeps its pages, and others that share them notice nothing', async () => {
    const pool = new PagePool(device, 'f32', d);
    const cache = new KvCache(device, pool, layers, g);
    write(cache, [...Array(40).keys()], 7);
    const fork = cache.fork();
    const pages = pool.pagesInUse;
    await cache.retain(everything(cache, layers, g), 40);
    expect({ pages: pool.pagesInUse, exactFrom: cache.exactFrom }).toEqual({ pages, exactFrom: 40 });
    expect(read(cache, 1, 1)).toEqual(read(fork, 1, 1));
    write(cache, [40], 9);
    expect(read(cache, 1, 0).marks).toEqual([...Array(40).fill(7), 9]);
    expect(read(fork, 1, 0).marks).toEqual(Array(40).fill(7));
    fork.close();
    cache.close();
    expect(pool.pagesInUse).toBe(0);
  });

  test('hands out neighbours one after the other, in whatever order pages came back', () => {
    const pool = new PagePool(device, 'q8', d);
    const first = Array.from({ length: 60 }, () => pool.allocate());
    for (const page of first.toSorted((a, b) => (a % 7) - (b % 7) || b - a)) pool.release(page);
    const again = Array.from({ length: 60 }, () => pool.allocate());
    expect(again).toEqual(first.toSorted((a, b) => a - b));
    for (const page of again) pool.release(page);
    pool.close();
  });

  test('keeps the pages of lists that grow by turns together, and takes back what it set aside for them', () => {
    const pool = new PagePool(device, 'q8', d);
    const lists: number[][] = [[], [], []];
    for (let i = 0; i < 64; i++) for (const list of lists) list.push(pool.allocate(list));
    const { stride } = pool;
    for (const list of lists) {
      // Runs of 1, 1, 2, 4, 8 and then 16 pages.
      const starts = list.filter((page, i) => page !== (list[i - 1] ?? Number.NaN) + stride);
      expect(starts.length).toBeLessThanOrEqual(8);
      expect(new Set(lists.flat()).size).toBe(3 * 64);
    }
    for (const list of lists) list.push(pool.allocate(list));
    for (const page of lists.flat()) pool.release(page);
    const before = device.bytesInUse;
    const all = Array.from({ length: Math.floor(2 ** 20 / stride) }, () => pool.allocate());
    expect(device.bytesInUse).toBe(before);
    for (const page of all) pool.release(page);
    expect(pool.pagesInUse).toBe(0);
    pool.close();
  });

  test('lets lists go on behind a prompt, which were begun one after the other', () => {
    const pool = new PagePool(device, 'q8', d);
    const lists: number[][] = [[], [], []];
    for (const list of lists) while (list.length < 4) list.push(pool.allocate(list, 4));
    for (let i = 0; i < 4; i++) for (const list of lists) list.push(pool.allocate(list, list.length + 1));
    for (const list of lists) expect(list).toEqual(list.map((_, i) => (list[0] ?? Number.NaN) + i * pool.stride));
    pool.close();
  });

  test('returns device memory when its pool closes', () => {
    const before = device.bytesInUse;
    const pool = new PagePool(device, 'f32', d);
    const cache = new KvCache(device, pool, layers, g);
    write(
      cache,
      Array.from({ length: 2000 }, (_, i) => i),
      1,
    );
    cache.close();
    pool.close();
    expect(device.bytesInUse).toBe(before);
  });
});
