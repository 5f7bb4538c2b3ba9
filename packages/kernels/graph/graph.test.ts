import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allSlots, headWords, listWords, pageSlots } from '../index.ts';
import { builds, Machine } from '../testing/machine.ts';
import { floats, ints, random } from '../testing/numbers.ts';
import {
  type Graph,
  type GraphLink,
  graphLink,
  graphLinkWork,
  graphNearest,
  graphRows,
  graphScratch,
  graphSearch,
  graphSearchWork,
  linkBytes,
  rowLength,
} from './index.ts';
import {
  connectReference,
  type Linked,
  linkReference,
  nearestReference,
  pruneReference,
  rowReference,
  type Vectors,
  walkReference,
} from './reference.ts';

/** Keys and queries that lie apart, as those of attention do, in whole numbers. */
function vectors(count: number, d: number, next: () => number, shift: number): Vectors {
  return Array.from({ length: count }, () => {
    const x = floats(d, next).map((value, c) => value + (c % 3 === 0 ? shift : 0));
    return rowReference(x, 0.7 + next(), rowLength);
  });
}

const bytesOf = (heads: readonly Vectors[], room: number, d: number): Uint8Array => {
  const rows = new Int16Array(heads.length * room * d);
  for (const [head, keys] of heads.entries())
    for (const [i, key] of keys.entries()) rows.set(key, (head * room + i) * d);
  return new Uint8Array(rows.buffer);
};

const words = (machine: Machine, address: number, count: number) =>
  new BigUint64Array(machine.bytes(address, 8 * count).buffer);

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  /** Heads of keys in device memory, with room for a graph. */
  function place(
    heads: readonly Vectors[],
    h: number,
    room: number,
    capacity: number,
    links?: readonly Linked[],
  ): Graph {
    const d = heads[0]?.[0]?.length ?? 16;
    const graph = { h, g: heads.length, d, room, capacity };
    const bytes = new Uint8Array(h * linkBytes(graph));
    const place = room <= 65_536 ? new Uint16Array(bytes.buffer) : new Uint32Array(bytes.buffer);
    for (const [head, one] of (links ?? []).entries()) {
      for (const [key, list] of one.links.entries()) {
        place.set([list.length, ...list], (head * room + key) * (capacity + 1));
      }
    }
    return {
      ...graph,
      counts: machine.input(Int32Array.from(heads, ({ length }) => length)),
      rows: machine.input(bytesOf(heads, room, d)),
      starts: machine.output(
        4 * h,
        Int32Array.from({ length: h }, (_, head) => links?.[head]?.start ?? 0),
      ),
      links: machine.output(bytes.length, bytes),
    };
  }

  function linksOf(graph: Graph, counts: readonly number[]): Linked[] {
    const bytes = machine.bytes(graph.links, graph.h * linkBytes(graph));
    const all = graph.room <= 65_536 ? new Uint16Array(bytes.buffer) : new Uint32Array(bytes.buffer);
    return Array.from({ length: graph.h }, (_, head) => ({
      start: machine.ints(graph.starts, graph.h)[head] ?? 0,
      links: Array.from({ length: counts[Math.floor((head * graph.g) / graph.h)] ?? 0 }, (_, key) => {
        const at = (head * graph.room + key) * (graph.capacity + 1);
        return [...all.subarray(at + 1, at + 1 + (all[at] ?? 0))];
      }),
    }));
  }

  test('rows keep their direction in whole numbers, and go round', () => {
    const sizes = fc.record({
      seed: fc.integer(),
      n: fc.constantFrom(1, 3, 17, 40),
      heads: fc.constantFrom(1, 3),
      d: fc.constantFrom(16, 64, 80),
      first: fc.integer({ min: 0, max: 40 }),
      norm: fc.constantFrom(0, 1, 100),
      fill: fc.constantFrom('normal', 'zeros', 'spiky', 'large', 'small', 'mixed' as const),
    });
    fc.assert(
      fc.property(sizes, ({ seed, n, heads, d, first, norm, fill }) => {
        const x = floats(n * heads * d, random(seed), fill);
        if (seed % 5 === 0) x[3] = Number.NaN;
        machine.reset();
        const out = machine.output(2 * heads * 41 * d);
        // Of rows that are longer than what is wanted of them.
        const stride = heads * d + 5;
        const wide = new Float32Array(n * stride);
        for (let r = 0; r < n; r++) wide.set(x.subarray(r * heads * d, (r + 1) * heads * d), r * stride);
        machine.run([graphRows({ x: machine.input(wide), stride, n, heads, d, out, room: 41, first, norm })]);
        const rows = new Int16Array(machine.bytes(out, 2 * heads * 41 * d).buffer);
        for (let r = 0; r < n; r++) {
          for (let head = 0; head < heads; head++) {
            const at = (head * 41 + ((first + r) % 41)) * d;
            const from = (r * heads + head) * d;
            const expected = rowReference(x.subarray(from, from + d), norm, rowLength);
            expect([...rows.subarray(at, at + d)].map((v) => v + 0)).toEqual(expected.map((v) => v + 0));
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  test('the nearest keys of a query are those of a sorted list, and only those that it sees', () => {
    const sizes = fc.record({
      seed: fc.integer(),
      count: fc.constantFrom(1, 31, 40, 200, 333),
      queries: fc.constantFrom(1, 3, 130),
      neighbours: fc.constantFrom(1, 2, 8, 33),
      ties: fc.boolean(),
    });
    fc.assert(
      fc.property(sizes, ({ seed, count, queries, neighbours, ties }) => {
        const next = random(seed);
        const d = 16;
        const some = (n: number, shift: number) =>
          ties ? Array.from({ length: n }, () => [...ints(d, next, -1, 2)]) : vectors(n, d, next, shift);
        const heads = [some(count, 0), some(count, 0)];
        const asked = Array.from({ length: 4 }, () => some(queries, 0.5));
        machine.reset();
        const graph = place(heads, 4, count + 3, 4);
        const places = queries + 2;
        const limits = ints(2 * places, next, 0, count + 1);
        const nearest = machine.output(8 * 4 * places * neighbours);
        const call = { queries: machine.input(bytesOf(asked, places, d)), count: queries, places };
        machine.run(
          [graphNearest(graph, { ...call, limits: machine.input(limits), nearest, neighbours })],
          graphScratch,
        );
        const ranks = words(machine, nearest, 4 * places * neighbours);
        for (let head = 0; head < 4; head++) {
          const kv = head >> 1;
          for (let q = 0; q < queries; q++) {
            const own = [...ranks.subarray((head * places + q) * neighbours, (head * places + q + 1) * neighbours)];
            const found = own
              .filter((rank) => rank !== 0n)
              .map((rank) => 0x7fffffff - Number((rank & 0xffffffffn) >> 1n));
            const limit = limits[kv * places + q] ?? 0;
            const expected = nearestReference(asked[head]?.[q] ?? [], heads[kv] ?? [], limit, neighbours);
            expect(found[0]).toBe(expected[0]);
            expect([...found].sort()).toEqual([...expected].sort());
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  /** Builds graphs over all but the last `later` keys, then links these too. */
  function build2(heads: readonly Vectors[], asked: readonly Vectors[], options: Options, later: number): Linked[] {
    const { neighbours, degree, pool, capacity, wide } = options;
    const h = asked.length;
    const count = heads[0]?.length ?? 0;
    machine.reset();
    const room = wide ? 65_600 : count + 5;
    const graph = place(heads, h, room, capacity);
    const places = asked[0]?.length ?? 0;
    const early = heads.map((keys) => Math.max(0, keys.length - later));
    const nearest = machine.output(8 * h * places * neighbours);
    const limits = machine.input(
      Int32Array.from({ length: heads.length * places }, (_, i) => early[Math.floor(i / places)] ?? 0),
    );
    const queries = {
      queries: machine.input(bytesOf(asked, places, heads[0]?.[0]?.length ?? 16)),
      count: places,
      places,
    };
    const found = { ...queries, limits, nearest, neighbours };
    const call: Omit<GraphLink, 'work'> = {
      degree,
      pool,
      from: machine.input(new Int32Array(heads.length)),
      queries: found,
    };
    const work = machine.output(graphLinkWork(graph, call));
    const first = { ...graph, counts: machine.input(Int32Array.from(early)) };
    const commands = [graphNearest(first, found), graphLink(first, { ...call, work })];
    const { queries: _, ...more } = call;
    if (later > 0) commands.push(graphLink(graph, { ...more, from: first.counts, work }));
    machine.run(commands, graphScratch);
    return linksOf(
      graph,
      heads.map(({ length }) => length),
    );
  }
  type Options = { neighbours: number; degree: number; pool: number; capacity: number; wide: boolean };

  function reference(keys: Vectors, asked: Vectors, options: Options, later: number): Linked {
    const early = keys.slice(0, Math.max(0, keys.length - later));
    const nearest = asked.map((query) => nearestReference(query, early, early.length, options.neighbours));
    const linked = linkReference(
      early,
      nearest.filter(({ length }) => length > 0),
      options,
    );
    if (later > 0) connectReference(keys, linked, early.length, options);
    return linked;
  }

  test('a graph over 500 keys has the edges of lists and sorts, every one of them', () => {
    const next = random(7);
    const keys = vectors(500, 64, next, 0.8);
    const asked = [vectors(300, 64, next, -0.5), vectors(300, 64, next, 1)];
    const options = { neighbours: 24, degree: 8, pool: 40, capacity: 24, wide: false };
    const built = build2([keys], asked, options, 0);
    for (const [head, queries] of asked.entries()) expect(built[head]).toEqual(reference(keys, queries, options, 0));
  });

  test('so have graphs of other sizes, and those to which keys were added later', () => {
    const sizes = fc.record({
      seed: fc.integer(),
      count: fc.constantFrom(1, 2, 20, 90),
      queries: fc.constantFrom(1, 60),
      neighbours: fc.constantFrom(1, 2, 12),
      degree: fc.constantFrom(1, 3, 6),
      pool: fc.constantFrom(1, 5, 20),
      later: fc.constantFrom(0, 15),
      ties: fc.boolean(),
      wide: fc.boolean(),
    });
    fc.assert(
      fc.property(sizes, ({ seed, count, queries, later, ties, ...options }) => {
        const next = random(seed);
        const some = (n: number, shift: number) =>
          ties ? Array.from({ length: n }, () => [...ints(16, next, -1, 2)]) : vectors(n, 16, next, shift);
        const heads = [some(count, 0.5), some(Math.max(1, count - 3), 0)];
        const asked = Array.from({ length: 4 }, () => some(queries, -0.5));
        const all = { ...options, capacity: 3 * options.degree };
        const built = build2(heads, asked, all, Math.min(later, count - 1, (heads[1]?.length ?? 1) - 1));
        for (const [head, one] of built.entries()) {
          const keys = heads[head >> 1] ?? [];
          const left = Math.min(later, count - 1, (heads[1]?.length ?? 1) - 1);
          expect(one).toEqual(reference(keys, asked[head] ?? [], all, left));
        }
      }),
      { numRuns: 25 },
    );
  });

  test('a search reads the slots of what a walk finds, all before the first key and all behind the last', () => {
    const sizes = fc.record({
      seed: fc.integer(),
      count: fc.constantFrom(0, 1, 50, 150),
      n: fc.constantFrom(1, 3),
      k: fc.constantFrom(0, 1, 7, 60, 200),
      more: fc.constantFrom(0, 9),
      first: fc.constantFrom(0, 5, 40),
      behind: fc.constantFrom(0, 3, 70),
      scan: fc.boolean(),
    });
    fc.assert(
      fc.property(sizes, ({ seed, count, n, k, more, first, behind, scan }) => {
        const next = random(seed);
        const [d, h] = [16, 4];
        const heads = [vectors(count, d, next, 0.5), vectors(count, d, next, 0)];
        const options = { degree: 4, capacity: 12, pool: 16 };
        const graphs = Array.from({ length: h }, (_, head) => {
          const keys = heads[head >> 1] ?? [];
          const nearest = vectors(40, d, next, -0.5).map((query) => nearestReference(query, keys, count, 8));
          return linkReference(
            keys,
            nearest.filter(({ length }) => length > 0),
            options,
          );
        });
        const queries = floats(n * h * d, next);
        machine.reset();
        const placed = place(heads, h, count + 1, options.capacity, graphs);
        const graph = scan ? { ...placed, links: 0 } : placed;
        const used = first + count + behind;
        const pool = Math.max(1, k) + more;
        const capacity = Math.ceil((used + n) / pageSlots);
        const bytes = 4 * listWords(capacity);
        const lists = { address: machine.output(n * h * bytes), rows: 1, heads: h, capacity };
        const counts = machine.output(24, new Int32Array(6));
        const call = { queries: machine.input(queries), n, k, pool, first, slots: used + n, lists, counts };
        const entries = heads.flatMap(() => headWords({ table: 0, used }));
        const work = machine.output(graphSearchWork(graph, call));
        machine.run(
          [graphSearch(graph, { ...call, heads: machine.input(Int32Array.from(entries)), work })],
          graphScratch,
        );
        let scans = 0;
        for (let row = 0; row < n; row++) {
          for (let head = 0; head < h; head++) {
            const keys = heads[head >> 1] ?? [];
            const at = (row * h + head) * d;
            const query = rowReference(queries.subarray(at, at + d), 0, rowLength);
            const all = Array.from({ length: count }, (_, key) => key);
            let found = all;
            if (k < count) {
              const walk = walkReference(query, keys, graphs[head]!, pool);
              found = scan ? nearestReference(query, keys, count, k) : walk.found.slice(0, k);
              if (k > 0) scans += scan ? count : walk.scans;
              else found = [];
            }
            const wanted = new Set(found.map((key) => first + key));
            const expected: number[] = [];
            for (let page = 0; page < capacity; page++) {
              let set = 0;
              for (let s = 0; s < pageSlots; s++) {
                const slot = page * pageSlots + s;
                if (wanted.has(slot) || slot < first || slot >= first + count) set |= 1 << s;
              }
              if (set !== 0) expected.push(page, set);
            }
            const list = machine.ints(lists.address + (row * h + head) * bytes, 2 * capacity + 1);
            expect(list[0]).toBe(expected.length / 2);
            expect([...list.subarray(1, 1 + expected.length)]).toEqual(expected);
          }
        }
        expect(machine.ints(counts, 6)[4]).toBe(scans);
      }),
      { numRuns: 30 },
    );
  });
});

test('pruning keeps what is nearer to the key than to what is kept, and fills up with the best of the rest', () => {
  // From x = (2, 0): (3, 0) scores 6; (2.9, 1) is nearer to (3, 0) than to x; (1, 3) is not.
  const keys = [
    [20, 0],
    [30, 0],
    [29, 10],
    [1, 30],
    [-5, 0],
  ];
  expect(pruneReference(0, [1, 2, 3, 4], keys, 2)).toEqual([1, 4]);
  expect(pruneReference(0, [1, 2, 4], keys, 3)).toEqual([1, 4, 2]);
  expect(allSlots).toBe(-1);
});
