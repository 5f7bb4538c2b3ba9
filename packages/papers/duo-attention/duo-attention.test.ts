import { repeatedPassage } from '@loci/evaluate';
import { type Keep, loadModel, type Model } from 'loci';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { largestGap, lastLogits } from '../keeping/logits.ts';
import { duoAttention } from './keep.ts';
import { wholeFirst, withPermutedHeads } from './permuted.ts';

let model: Model;
let ids: Int32Array;
beforeAll(async () => {
  model = await loadModel();
  ids = repeatedPassage(model, { length: 120, passage: 1 }, 0).context;
});
afterAll(() => model.close());

const tight = { sinks: 4, recent: 28, sparsity: 1 } as const;

async function keptAfter(keep: Keep, prompt: number, generated = 0): Promise<readonly (readonly Int32Array[])[]> {
  const session = await model.open({ keep });
  try {
    await session.complete({ ids: ids.subarray(0, prompt) }, { maxTokens: generated, ignoreEnd: true });
    return session.kept;
  } finally {
    session.close();
  }
}

test('a prompt in chunks of one is read as under the mask with one token more', async () => {
  const logits = async (keep: Keep) => {
    const session = await model.open({ precision: 'float32', keep });
    const { logits: found } = await session.prefill({ ids: ids.subarray(0, 44) });
    session.close();
    return found;
  };
  const chunks = await logits(duoAttention.with({ ...tight, prefill: 'chunked', chunk: 1, recent: 20 }));
  expect(largestGap(chunks, await logits(duoAttention.with({ ...tight, chunk: 1, recent: 21 })))).toBeLessThan(4e-4);
  expect(largestGap(chunks, await logits(duoAttention.with({ ...tight, chunk: 1, recent: 20 })))).toBeGreaterThan(4e-3);
});

test.each(['mask', 'chunked', 'dense'] as const)(
  'streaming heads hold sinks and recent tokens: %s',
  async (prefill) => {
    const kept = await keptAfter(duoAttention.with({ ...tight, prefill, chunk: 16 }), 100);
    const expected = [0, 1, 2, 3, ...Array.from({ length: 28 }, (_, i) => 72 + i)];
    for (const positions of kept.flat()) expect([...positions]).toEqual(expected);
  },
);

test('a head keeps everything or streams, by its score', async () => {
  const half = await keptAfter(duoAttention.with({ ...tight, sparsity: 0.5 }), 100);
  expect(half.flat().filter(({ length }) => length === 100)).toHaveLength(45);
  const above = await keptAfter(duoAttention.with({ ...tight, above: 0.3 }), 100);
  expect(above.flat().filter(({ length }) => length === 100).length).toBeLessThan(10);
});

test('while text is generated the window goes on, page by page', async () => {
  const kept = await keptAfter(duoAttention.with(tight), 60, 60);
  for (const positions of kept.flat()) {
    expect([...positions.slice(0, 4)]).toEqual([0, 1, 2, 3]);
    expect(positions.at(-1)).toBe(118);
    expect(positions.length).toBeLessThanOrEqual(32 + 2 * 32);
    expect([...positions]).toEqual(expect.arrayContaining(Array.from({ length: 27 }, (_, i) => 92 + i)));
  }
});

test.each([
  [{ recent: 0 }, 'recent is 0; it must be at least 1'],
  [{ sinks: 0 }, 'sinks is 0; it must be at least 1'],
  [{ sparsity: 2 }, 'sparsity is 2; it must be at most 1'],
])('refuses %j', (options, message) => {
  expect(() => duoAttention.with(options)).toThrow(message);
});

test('heads that keep everything go first, each with its queries, and the model stays the same function', async () => {
  const set = model.arch.layers.map((_, layer) =>
    Array.from({ length: model.arch.kvHeads }, (_, head) => (layer + head) % model.arch.kvHeads === 1),
  );
  const order = wholeFirst(set);
  expect(order.slice(0, 3)).toEqual([
    [1, 0, 2],
    [0, 1, 2],
    [2, 0, 1],
  ]);
  const text = repeatedPassage(model, { length: 40, passage: 1 }, 0).context;
  const logits = (of: Model) => lastLogits(of, { precision: 'float32' }, text, 39);
  const expected = await logits(model);
  const found = await withPermutedHeads(model, order, logits);
  expect(largestGap(expected, found ?? [])).toBeLessThan(1e-5 * Math.max(...expected.map(Math.abs)));
  expect(found).not.toEqual(expected);
});
