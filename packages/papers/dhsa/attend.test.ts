import { readFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Attend, loadModel, type Model, type OpenOptions, type Session } from 'loci';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { largestGap } from '../keeping/logits.ts';
import { inSession } from '../methods/in-session.ts';
import { parseMethod } from '../registry.ts';
import { chunkAttend } from './attend.ts';
import { knownCutting } from './cutting.ts';

let model: Model;
let ids: Int32Array;
beforeAll(async () => {
  model = await loadModel(undefined, { threads: 1 });
  const book = readFileSync(new URL('../../../data/moby-dick.txt', import.meta.url), 'utf8').slice(40_000, 43_000);
  ids = model.tokenizer.encode(book, { special: 'text' }).slice(0, 560);
});
afterAll(() => model.close());

const length = 260;
const attendOf = (text: string): { attend: Attend } => ({ attend: parseMethod.attend(text) });
const everything = 'dhsa:cut=equal,budget=5000,instruction=0';
const tight = 'dhsa:cut=equal,budget=96,block=32,local=32,global=8,instruction=16,open=32';
const tightOptions = { budget: 96, block: 32, local: 32, global: 8, instruction: 16, open: 32 } as const;

const opened = <T>(options: OpenOptions, work: (session: Session) => Promise<T>) => inSession(model, options, work);

const losses = (options: OpenOptions, prompt = length) =>
  opened({ ...options }, async (session) => {
    const [nll] = await session.scoreContinuations({ ids: ids.slice(0, prompt) }, [ids.slice(prompt, prompt + 20)]);
    return { nll: nll ?? new Float64Array(), reads: session.reads };
  });

/** The ends of chunks that a session has cut, by group of layers. */
function endsOf(session: Session): number[][] {
  const { attended } = session;
  if (typeof attended !== 'object' || attended === null || !('ends' in attended)) throw new Error('no ends');
  return JSON.parse(JSON.stringify(attended.ends));
}

test('with room for everything it is dense attention', async () => {
  const dense = await losses({});
  const all = await losses(attendOf(everything));
  expect(largestGap(all.nll, dense.nll)).toBeLessThan(1e-4);
  expect(all.reads.choosing).toBe(0);
});

test('a tight budget reads no more than that, and scores a chunk for a block', async () => {
  const { nll, reads } = await losses(attendOf(tight));
  const dense = await losses({});
  expect(nll.every(Number.isFinite)).toBe(true);
  expect(largestGap(nll, dense.nll)).toBeGreaterThan(1e-3);
  expect(reads.pairs).toBeLessThan(0.8 * dense.reads.pairs);
  // Of 260 tokens in chunks of 16 some 17 are compared with each of 9 blocks.
  expect(reads.choosing).toBeGreaterThan(0);
  expect(reads.choosing).toBeLessThanOrEqual(30 * 19 * (9 + 20));
});

test('every block reads the budget where there is more, in every head the same', async () => {
  await opened(
    { ...attendOf('dhsa:cut=equal,budget=50,block=32,local=16,global=4,instruction=0'), store: 'f32' },
    async (session) => {
      await session.prefill({ ids: ids.slice(0, 512) });
      // 2 blocks read 64 and 128 tokens at most; the budget holds the third to eighth to 100 of them.
      const slots = session.reads.slots / (30 * 3);
      expect(slots).toBeGreaterThan(64 + 7 * 99);
      expect(slots).toBeLessThanOrEqual(2 * (64 + 7 * 100));
    },
  );
});

test.each(['keep=snapkv:budget=120,window=16', 'keep=streaming-llm:recent=120', 'store=q4', 'store=kv4', 'store=q8'])(
  'goes with %s',
  async (other) => {
    const [axis, text = ''] = other.split(/=(.*)/);
    const keep = axis === 'keep' ? parseMethod.keep(text) : undefined;
    // In bytes a page is rounded by the mean of the one before it, which is another where that one is not listed.
    const options: OpenOptions = {
      ...(keep && { keep, precision: 'float32' }),
      ...(axis === 'store' && { store: parseMethod.store(text) }),
    };
    const dense = await losses(options);
    const all = await losses({ ...options, ...attendOf(everything) });
    expect(largestGap(all.nll, dense.nll)).toBeLessThan(1e-3);
    const few = await losses({ ...options, ...attendOf(tight) });
    expect(few.nll.every(Number.isFinite)).toBe(true);
    expect(few.reads.pairs).toBeLessThan(dense.reads.pairs);
  },
);

describe('chunks', () => {
  test('are of equal length, with those of an instruction by themselves, and generated ones of 32', async () => {
    await opened(attendOf(tight), async (session) => {
      await session.complete({ ids: ids.slice(0, 300) }, { maxTokens: 40, ignoreEnd: true });
      const [ends = []] = endsOf(session);
      expect(ends.slice(0, 3)).toEqual([16, 32, 48]);
      expect(ends).toContain(284);
      expect(ends.slice(-3)).toEqual([300, 332, 339]);
    });
  });

  test('a prefix that is read again is cut where it ends', async () => {
    await opened(attendOf(tight), async (session) => {
      await session.prefill({ ids: ids.slice(0, 400) });
      const other = ids.slice(0, 400);
      other[325] = 50;
      const { reusedTokens } = await session.prefill({ ids: other });
      expect(reusedTokens).toBe(325);
      const [ends = []] = endsOf(session);
      expect(ends.filter((end) => end > 300 && end < 360)).toEqual([304, 320, 325, 341, 357]);
    });
  });

  test('what follows a prompt has about the losses that it has as part of one', async () => {
    await opened({ ...attendOf(tight) }, async (session) => {
      const prompt = ids.slice(0, 300);
      const [scored = new Float64Array()] = await session.scoreContinuations({ ids: prompt }, [ids.slice(300, 350)]);
      const fork = session.fork();
      const stepwise: number[] = [];
      for (let n = 301; n < 350; n += 7) {
        const [one = Number.NaN] =
          (await fork.scoreContinuations({ ids: ids.slice(0, n) }, [ids.slice(n, n + 1)]))[0] ?? [];
        stepwise.push(one - (scored[n - 300] ?? 0));
      }
      fork.close();
      // The last row of a prompt reads everything, and those before it are read as a block: losses move, but not far.
      expect(Math.max(...stepwise.map(Math.abs))).toBeLessThan(1);
    });
  });

  test('cuts that are given are kept to, layer by layer, and an instruction is read in one piece', async () => {
    const cuts = model.arch.layers.map((_, layer) => [100 + layer, 200, 300 + 2 * layer]);
    const base = { axis: 'attend', name: 'known', spec: 'known' } as const;
    await opened(
      { attend: chunkAttend(base, { ...tightOptions, length: 'root' }, () => knownCutting(cuts)) },
      async (session) => {
        await session.prefill({ ids: ids.slice(0, 520) });
        const ends = endsOf(session);
        expect(ends[3]).toEqual([103, 200, 306, 504, 520]);
        expect(ends[20]).toEqual([120, 200, 340, 504, 520]);
      },
    );
  });
});

test('a saved session, a fork and a session of its own go on alike', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'loci-dhsa-'));
  const path = join(folder.path, 'session');
  // Behind what was saved all read the same rows: a last token that is read again, by itself, is rounded otherwise.
  const prompt = { ids: ids.slice(0, 401) };
  const more = { maxTokens: 24, ignoreEnd: true } as const;
  await opened({ store: 'q8', ...attendOf(tight) }, async (session) => {
    await session.prefill({ ids: prompt.ids.slice(0, 400) });
    await session.save(path);
    const fork = session.fork();
    const [straight, forked] = [await session.complete(prompt, more), await fork.complete(prompt, more)];
    fork.close();
    expect(forked.ids).toEqual(straight.ids);
    const restored = await model.restore(path, attendOf(tight));
    expect(endsOf(restored)).toEqual([expect.arrayContaining([16, 384, 400])]);
    expect((await restored.complete(prompt, more)).ids).toEqual(straight.ids);
    restored.close();
  });
});

test('sequences in one batch do not disturb one another, and threads do not change a bit', async () => {
  const alone = await losses(attendOf(tight));
  const [a, b] = await Promise.all([losses(attendOf(tight)), losses({ store: 'q8' })]);
  expect(largestGap(a.nll, alone.nll)).toBeLessThan(1e-6);
  expect(b.nll.every(Number.isFinite)).toBe(true);
  for (const threads of [2, 3]) {
    const other = await loadModel(undefined, { threads });
    const session = await other.open({ ...attendOf(tight) });
    const [nll] = await session.scoreContinuations({ ids: ids.slice(0, length) }, [ids.slice(length, length + 20)]);
    expect([...(nll ?? [])]).toEqual([...alone.nll]);
    session.close();
    await other.close();
  }
});
