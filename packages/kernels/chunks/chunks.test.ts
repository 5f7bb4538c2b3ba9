import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pageFormats, pageSlots } from '../append/index.ts';
import { attendScratch, listWords } from '../attend/index.ts';
import { mostSlots, type Problem, problem } from '../testing/attention.ts';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, random } from '../testing/numbers.ts';
import { placeHeads } from '../testing/pages.ts';
import { readList } from '../testing/read-lists.ts';
import { type ChunkLists, type Chunks, chunkLists, chunkRoom, chunkSums } from './index.ts';
import { type Choice, chunkChoice, chunkKey, chunkScores, type QueryBlock } from './reference.ts';

const sizes = fc.record({
  seed: fc.integer(),
  group: fc.constantFrom(1, 3),
  g: fc.constantFrom(1, 2, 3),
  d: fc.constantFrom(16, 64, 80),
  n: fc.constantFrom(1, 2, 7, 33, 64),
  mostUsed: fc.constantFrom(0, 1, 31, 300),
  window: fc.constantFrom(0, 0, 100),
});
const choices = fc.record({
  rows: fc.constantFrom(1, 4, 16, 128),
  chunk: fc.constantFrom(1, 3, 16, 100),
  budget: fc.constantFrom(1, 16, 64, 200, 5000),
  local: fc.constantFrom(0, 8, 40),
  global: fc.constantFrom(0, 8, 40),
  whole: fc.constantFrom(0, 0, 0.5),
  length: fc.constantFrom('root', 'none' as const),
});

/** Ends of chunks of uneven lengths over all positions. */
function endsOf(last: number, chunk: number, seed: number): number[] {
  const next = random(seed);
  const ends: number[] = [];
  for (let at = 0; at <= last; ) {
    at += 1 + Math.floor(next() * (2 * chunk - 1));
    ends.push(Math.min(at, last + 1));
  }
  return ends;
}

function placeChunks(machine: Machine, ends: readonly number[], d: number): Chunks {
  return {
    ends: machine.input(Int32Array.from(ends)),
    count: machine.input(Int32Array.of(ends.length)),
    sums: machine.output(4 * d * ends.length),
    slots: machine.output(4 * ends.length),
  };
}

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  test.each(pageFormats)('sums are those of the keys that %s pages stand for', (format) => {
    fc.assert(
      fc.property(sizes, fc.constantFrom(1, 5, 40), ({ mostUsed, ...size }, chunk) => {
        const p = problem({ ...size, mostUsed, format });
        const ends = endsOf(p.positions.at(-1) ?? 0, chunk, size.seed);
        machine.reset();
        const heads = placeHeads(machine, format, p.d, p.heads, random(1));
        const chunks = placeChunks(machine, ends, p.d);
        machine.run([chunkSums({ ...p, heads, appended: p.n, chunks, first: 0 })], attendScratch(p.h, p.g, p.d));
        const counts = machine.ints(chunks.slots, ends.length);
        const sums = machine.floats(chunks.sums, ends.length * p.d);
        for (const [c, to] of ends.entries()) {
          const mean = chunkKey(
            p.heads.map(({ slots }) => slots),
            c > 0 ? (ends[c - 1] ?? 0) : 0,
            to,
            'none',
          );
          const expected = (mean ?? new Float64Array(p.d)).map((x) => x * (counts[c] ?? 0));
          expect((counts[c] ?? 0) > 0).toBe(mean !== undefined);
          expectClose(sums.subarray(c * p.d, (c + 1) * p.d), expected, () => 1e-5 * (1 + (counts[c] ?? 0)));
        }
      }),
      { numRuns: 10 },
    );
  });

  /** What the kernels choose for a problem: [block][head] of chosen positions, and pairs scored. */
  function run(p: Problem, ends: readonly number[], choice: Choice, rows: number, wholeFrom: number) {
    const { n, g, d, format } = p;
    machine.reset();
    const heads = placeHeads(machine, format, d, p.heads, random(1));
    const chunks = placeChunks(machine, ends, d);
    const capacity = Math.ceil(mostSlots(p) / pageSlots);
    const words = listWords(capacity);
    const blocks = Math.ceil(n / rows);
    const last = p.positions.at(-1) ?? 0;
    const lists = { address: machine.output(4 * blocks * g * words), rows, heads: g, capacity };
    const counts = machine.output(24, new Int32Array(6));
    const call: ChunkLists = {
      ...{ ...p, ...choice, heads, appended: n, chunks, rows, wholeFrom, lists, counts, last, most: ends.length },
      queries: machine.input(p.queries),
      positions: machine.input(p.positions),
      room: machine.output(chunkRoom({ n, rows, d, most: ends.length, last })),
    };
    machine.run([chunkSums({ ...call, format, first: 0 }), chunkLists(call)], attendScratch(p.h, g, d));
    const read = Array.from({ length: blocks }, (_, block) =>
      p.heads.map(({ slots }, head) =>
        readList(machine, lists, block, head).map((slot) => slots[slot]?.position ?? Number.NaN),
      ),
    );
    return { read, scored: machine.ints(counts, 6)[4] ?? 0 };
  }

  test.each(pageFormats)('blocks read what the definition chooses, of %s pages', (format) => {
    fc.assert(
      fc.property(sizes, choices, (size, { rows, chunk, whole, ...most }) => {
        const p = problem({ ...size, format });
        const choice = { ...most, window: size.window };
        const ends = endsOf(p.positions.at(-1) ?? 0, chunk, size.seed);
        const wholeFrom = whole === 0 ? p.n : Math.floor(p.n * whole);
        const { read } = run(p, ends, choice, rows, wholeFrom);
        const held = p.heads.map(({ slots }) => slots);
        for (const [i, heads] of read.entries()) {
          const block = blockOf(p, i, rows);
          const isWhole = Math.min((i + 1) * rows, p.n) > wholeFrom;
          const expected = chunkChoice(block, held, ends, isWhole ? { ...choice, budget: 1e9 } : choice);
          // Chunks whose scores differ by less than float32 can tell may change places.
          const scores = chunkScores(block, held, ends, choice)
            .map(({ score }) => score)
            .sort((a, b) => a - b);
          const isClear = scores.every(
            (score, k) => k === 0 || score - (scores[k - 1] ?? 0) > 1e-4 * (1 + Math.abs(score)),
          );
          for (const [head, positions] of heads.entries()) {
            const own = new Set(held[head]?.map(({ position }) => position));
            if (isClear) expect(positions).toEqual(expected.filter((position) => own.has(position)));
            else expect(positions.length).toBeLessThanOrEqual(Math.max(expected.length, isWhole ? 0 : choice.budget));
          }
        }
      }),
      { numRuns: 20 },
    );
  });

  test('chunks that are equally like a block are taken in their order', () => {
    const p = problem({ seed: 5, format: 'f32', n: 8, group: 1, g: 1, d: 16, window: 0, mostUsed: 0 });
    const same = { ...p, queries: new Float32Array(p.queries.length) };
    const choice = { budget: 4, local: 1, global: 0, window: 0, length: 'root' } as const;
    const all = Array.from(p.positions);
    const ends = all.map((position) => position + 1);
    const { read, scored } = run(same, ends, choice, 8, 8);
    expect(read[0]?.[0]).toEqual([...all.slice(0, 3), ...all.slice(-1)]);
    expect(scored).toBe(8);
  });
});

function blockOf(p: Problem, block: number, rows: number): QueryBlock {
  const tokens = Array.from({ length: Math.min(rows, p.n - block * rows) }, (_, i) => block * rows + i);
  return {
    positions: tokens.map((t) => p.positions[t] ?? 0),
    queries: tokens.map((t) =>
      Array.from({ length: p.h }, (_, head) => p.queries.subarray((t * p.h + head) * p.d, (t * p.h + head + 1) * p.d)),
    ),
  };
}
