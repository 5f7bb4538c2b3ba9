import { readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Attend, loadModel, type Model, type OpenOptions, type Session } from 'loci';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseMethod } from '../registry.ts';
import { chunkAttend } from './attend.ts';
import { knownCutting } from './cutting.ts';

let model: Model;
let ids: Int32Array;
beforeAll(async () => {
  model = await loadModel();
  const book = readFileSync(new URL('../../../data/moby-dick.txt', import.meta.url), 'utf8').slice(40_000, 45_000);
  ids = model.tokenizer.encode(book, { special: 'text' }).slice(0, 900);
});
afterAll(() => model.close());

const length = 800;
const attendOf = (text: string): { attend: Attend } => ({ attend: parseMethod.attend(text) });
const everything = 'dhsa:budget=5000,instruction=0';
const tight = 'dhsa:budget=160,block=64,local=64,global=16,instruction=32';
const tightOptions = { budget: 160, block: 64, local: 64, global: 16, instruction: 32, open: 64 } as const;

async function opened<T>(options: OpenOptions, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await model.open(options);
  try {
    return await work(session);
  } finally {
    session.close();
  }
}

const losses = (options: OpenOptions, prompt = length) =>
  opened({ precision: 'float32', ...options }, async (session) => {
    const [nll] = await session.scoreContinuations({ ids: ids.slice(0, prompt) }, [ids.slice(prompt, prompt + 60)]);
    return { nll: nll ?? new Float64Array(), reads: session.reads };
  });

const gapOf = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (loss, i) => Math.abs(loss - (b[i] ?? Number.NaN))));

/** The ends of chunks that a session has cut, by group of layers. */
function endsOf(session: Session): number[][] {
  const { attended } = session;
  if (typeof attended !== 'object' || attended === null || !('ends' in attended)) throw new Error('no ends');
  return JSON.parse(JSON.stringify(attended.ends));
}

test('with room for everything it is dense attention', async () => {
  const dense = await losses({});
  const all = await losses(attendOf(everything));
  expect(gapOf(all.nll, dense.nll)).toBeLessThan(1e-4);
  expect(all.reads.choosing).toBe(0);
});

test('a tight budget reads no more than that, and scores a chunk for a block', async () => {
  const { nll, reads } = await losses(attendOf(tight));
  const dense = await losses({});
  expect(nll.every(Number.isFinite)).toBe(true);
  expect(gapOf(nll, dense.nll)).toBeGreaterThan(1e-3);
  expect(reads.pairs).toBeLessThan(0.7 * dense.reads.pairs);
  // Of 800 tokens in chunks of 16 at most 50 are compared with each of 13 blocks and of the tokens behind them.
  expect(reads.choosing).toBeGreaterThan(0);
  expect(reads.choosing).toBeLessThanOrEqual(30 * 50 * 13);
});

test('every block reads the budget where there is more, in every head the same', async () => {
  await opened(
    { ...attendOf('dhsa:budget=100,block=64,local=32,global=4,instruction=0'), store: 'f32' },
    async (session) => {
      await session.prefill({ ids: ids.slice(0, 512) });
      // 2 blocks read 64 and 128 tokens at most; the budget holds the third to eighth to 100 of them.
      const slots = session.reads.slots / (30 * 3);
      expect(slots).toBeGreaterThan(64 + 7 * 99);
      expect(slots).toBeLessThanOrEqual(2 * (64 + 7 * 100));
    },
  );
});

test.each(['keep=snapkv:budget=200,window=32', 'keep=streaming-llm:recent=300', 'store=q4', 'store=kv4', 'store=q8'])(
  'goes with %s',
  async (other) => {
    const [axis, text = ''] = other.split(/=(.*)/);
    const keep = axis === 'keep' ? parseMethod.keep(text) : undefined;
    const options = { ...(keep && { keep }), ...(axis === 'store' && { store: parseMethod.store(text) }) };
    const dense = await losses(options);
    const all = await losses({ ...options, ...attendOf(everything) });
    expect(gapOf(all.nll, dense.nll)).toBeLessThan(1e-3);
    const few = await losses({ ...options, ...attendOf(tight) });
    expect(few.nll.every(Number.isFinite)).toBe(true);
    expect(few.reads.pairs).toBeLessThan(dense.reads.pairs);
  },
);

describe('chunks', () => {
  test('are of equal length, with those of an instruction by themselves, and generated ones of 64', async () => {
    await opened(attendOf(tight), async (session) => {
      await session.complete({ ids: ids.slice(0, 700) }, { maxTokens: 80, ignoreEnd: true });
      const [ends = []] = endsOf(session);
      expect(ends.slice(0, 3)).toEqual([16, 32, 48]);
      expect(ends).toContain(668);
      expect(ends.slice(-3)).toEqual([700, 764, 779]);
    });
  });

  test('a prefix that is read again is cut where it ends', async () => {
    await opened(attendOf(tight), async (session) => {
      await session.prefill({ ids: ids.slice(0, 700) });
      const other = ids.slice(0, 700);
      other[325] = 50;
      const { reusedTokens } = await session.prefill({ ids: other });
      expect(reusedTokens).toBe(325);
      const [ends = []] = endsOf(session);
      expect(ends.filter((end) => end > 300 && end < 360)).toEqual([304, 320, 325, 341, 357]);
    });
  });

  test('generated token by token and scored at once, an answer has the same losses', async () => {
    await opened({ precision: 'float32', ...attendOf(tight) }, async (session) => {
      const prompt = ids.slice(0, 700);
      const [scored = new Float64Array()] = await session.scoreContinuations({ ids: prompt }, [ids.slice(700, 790)]);
      const stepwise: number[] = [];
      const fork = session.fork();
      for (let n = 700; n < 790; n += 30) {
        const [one = new Float64Array()] = await fork.scoreContinuations({ ids: ids.slice(0, n) }, [
          ids.slice(n, n + 30),
        ]);
        stepwise.push(...one.slice(1));
      }
      fork.close();
      expect(stepwise).toHaveLength(87);
      expect(stepwise[0]).toBeCloseTo(scored[1] ?? 0, 3);
    });
  });

  test('cuts that are given are kept to, layer by layer', async () => {
    const cuts = model.arch.layers.map((_, layer) => [100 + layer, 200, 300 + 2 * layer]);
    const base = { axis: 'attend', name: 'known', spec: 'known' } as const;
    await opened(
      { attend: chunkAttend(base, { ...tightOptions, length: 'root' }, () => knownCutting(cuts)) },
      async (session) => {
        await session.prefill({ ids: ids.slice(0, 700) });
        const ends = endsOf(session);
        expect(ends[3]).toEqual([103, 200, 306, 512, 668, 700]);
        expect(ends[20]).toEqual([120, 200, 340, 512, 668, 700]);
      },
    );
  });
});

test('a saved session, a fork and a session of its own go on alike', async () => {
  const path = join(await mkdtemp(join(tmpdir(), 'loci-dhsa-')), 'session');
  const prompt = { ids: ids.slice(0, 700) };
  const more = { maxTokens: 70, ignoreEnd: true } as const;
  await opened({ store: 'q8', ...attendOf(tight) }, async (session) => {
    await session.prefill(prompt);
    await session.save(path);
    const fork = session.fork();
    const [straight, forked] = [await session.complete(prompt, more), await fork.complete(prompt, more)];
    fork.close();
    expect(forked.ids).toEqual(straight.ids);
    const restored = await model.restore(path, attendOf(tight));
    expect(endsOf(restored)).toEqual([expect.arrayContaining([16, 668, 700])]);
    const again = await restored.complete({ ids: [...prompt.ids] }, more);
    expect(again.ids.slice(1)).toEqual(straight.ids.slice(1));
    restored.close();
  });
});

test('sequences in one batch do not disturb one another, and threads do not change a bit', async () => {
  const alone = await losses(attendOf(tight));
  const [a, b] = await Promise.all([losses(attendOf(tight)), losses({ store: 'q8' })]);
  expect(gapOf(a.nll, alone.nll)).toBeLessThan(1e-6);
  expect(b.nll.every(Number.isFinite)).toBe(true);
  for (const threads of [1, 3]) {
    const other = await loadModel({ threads });
    const session = await other.open({ precision: 'float32', ...attendOf(tight) });
    const [nll] = await session.scoreContinuations({ ids: ids.slice(0, length) }, [ids.slice(length, length + 60)]);
    expect([...(nll ?? [])]).toEqual([...alone.nll]);
    session.close();
    await other.close();
  }
});
