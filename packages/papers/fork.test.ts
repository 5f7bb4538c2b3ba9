import { readFileSync } from 'node:fs';
import { loadModel, type Model, type OpenOptions, type Session } from 'loci';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseMethods } from './registry.ts';

/** Exact, so that it does not matter in how many pieces a prompt was read. */
const exact = { precision: 'float32' } as const;

let model: Model;
let ids: Int32Array;
beforeAll(async () => {
  model = await loadModel(undefined, { threads: 1 });
  const book = readFileSync(new URL('../../data/moby-dick.txt', import.meta.url), 'utf8').slice(60_000, 63_000);
  ids = model.tokenizer.encode(book, { special: 'text' }).slice(0, 136);
});
afterAll(() => model.close());

const prompt = () => ({ ids: ids.slice(0, 128) });
function methodsOf(text: string): Pick<OpenOptions, 'keep' | 'store'> {
  const { keep, store } = parseMethods(text);
  return { ...(keep && { keep }), ...(store && { store }) };
}

/** What a session is behind the prompt, which it is given again. */
async function state(session: Session) {
  await session.prefill(prompt());
  const [losses = new Float64Array()] = await session.scoreContinuations(prompt(), [ids.slice(128)]);
  return { kept: session.kept, kvBytes: session.kvBytes, losses };
}

async function closing<T>(session: Session, work: (session: Session) => Promise<T>): Promise<T> {
  try {
    return await work(session);
  } finally {
    session.close();
  }
}

type State = Awaited<ReturnType<typeof state>>;

const fresh = async (text: string) => closing(await model.open({ ...exact, ...methodsOf(text) }), state);

function expectSame(found: State, wanted: State): void {
  expect(found.kept).toEqual(wanted.kept);
  expect(found.kvBytes).toBe(wanted.kvBytes);
  const gaps = found.losses.map((loss, i) => Math.abs(loss - (wanted.losses[i] ?? Number.NaN)));
  expect(Math.max(...gaps)).toBeLessThan(1e-4);
}

/** Methods of a fork, and the session that they must equal where it is another one. */
const forks = [
  ['keep=snapkv:budget=25%,window=8,store=f16', undefined],
  ['keep=snapkv:budget=50%,window=8,budgets=ada,store=q4', undefined],
  ['keep=knorm:budget=50,store=kv4', undefined],
  ['keep=h2o:budget=60,store=q8', undefined],
  // A prompt that is read by a session without a keep method lies in 4 bits while it is read, and was not in the fork.
  ['store=q4', 'keep=snapkv:budget=1000,store=q4'],
] as const;

describe('a fork under other methods', () => {
  test('is what a session is that was opened with them, and leaves the others as they are', async () => {
    const wanted: State[] = [];
    for (const [text, same = text] of forks) wanted.push(await fresh(same));
    // The first prompt in halves, which methods that choose behind it read.
    await closing(await model.open({ ...exact, store: 'f16' }), async (session) => {
      const before = await state(session);
      const open = forks.map(([text]) => session.fork({ ...methodsOf(text) }));
      for (const [i, fork] of open.entries()) {
        const found = await state(fork);
        expectSame(found, wanted[i]!);
      }
      // All of them again, now that they lie beside one another.
      for (const [i, fork] of open.entries()) expectSame(await state(fork), wanted[i]!);
      const after = await state(session);
      expect(after).toEqual(before);
      for (const fork of open) fork.close();
    });
  });

  test('reads anew what the first one has dropped', async () => {
    const wanted = await fresh('keep=knorm:budget=50,store=q8');
    const dense = await fresh('store=f16');
    await closing(
      await model.open({ ...exact, store: 'f16', ...methodsOf('keep=snapkv:budget=48') }),
      async (first) => {
        await first.prefill(prompt());
        await closing(first.fork(methodsOf('keep=knorm:budget=50,store=q8')), async (fork) =>
          expectSame(await state(fork), wanted),
        );
        await closing(first.fork({ keep: undefined }), async (fork) => expectSame(await state(fork), dense));
      },
    );
  });

  test('without other methods goes on where the first one is', async () => {
    await closing(await model.open(methodsOf('keep=snapkv:budget=48,store=q8')), async (first) => {
      await first.prefill(prompt());
      await closing(first.fork(), async (fork) => {
        expect(fork.kept).toEqual(first.kept);
        const [one, other] = [
          await first.complete(prompt(), { maxTokens: 6 }),
          await fork.complete(prompt(), { maxTokens: 6 }),
        ];
        expect(other.ids).toEqual(one.ids);
        expect(other.reusedTokens).toBe(128);
      });
    });
  });

  test('is refused where heads would have had to see otherwise, or methods clash', async () => {
    await closing(await model.open(), async (first) => {
      expect(() => first.fork(methodsOf('keep=streaming-llm'))).toThrow('a fork cannot change how far heads have seen');
    });
    await closing(await model.open(methodsOf('keep=streaming-llm')), async (first) => {
      expect(() => first.fork({ keep: undefined })).toThrow('a fork cannot change how far heads have seen');
      expect(() => first.fork(methodsOf('keep=snapkv'))).toThrow('open a session for it');
    });
  });
});
