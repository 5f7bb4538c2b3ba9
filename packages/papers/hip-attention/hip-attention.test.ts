import { readFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadModel, type Model, type OpenOptions, type Session } from 'loci';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inSession } from '../methods/in-session.ts';
import { parseMethod } from '../registry.ts';
import { hipAttention } from './attend.ts';

let model: Model;
let ids: Int32Array;
beforeAll(async () => {
  model = await loadModel();
  const book = readFileSync(new URL('../../../data/moby-dick.txt', import.meta.url), 'utf8').slice(40_000, 44_000);
  ids = model.tokenizer.encode(book, { special: 'text' }).slice(0, 700);
});
afterAll(() => model.close());

const tight = 'hip:k=64,block=8,key-stride=2,rows=32,share=group,window=16,dense=1,refresh=4';
const prompt = () => ({ ids: ids.slice(0, 600) });
const attend = (text: string) => ({ attend: parseMethod.attend(text) });

const opened = <T>(options: OpenOptions, work: (session: Session) => Promise<T>) => inSession(model, options, work);

async function losses(options: OpenOptions, count = 600) {
  return opened(options, async (session) => {
    const [nll = new Float64Array()] = await session.scoreContinuations({ ids: ids.slice(0, count) }, [
      ids.slice(count),
    ]);
    return { nll, mean: nll.reduce((sum, loss) => sum + loss, 0) / nll.length, reads: session.reads };
  });
}

const generated = (options: OpenOptions, tokens = 14) =>
  opened(options, async (session) => (await session.complete(prompt(), { maxTokens: tokens, ignoreEnd: true })).ids);

describe('hip', () => {
  test.each([
    ['no list at all', 'hip:k=2048'],
    // Sinks and window are read in whole blocks: seven more of 64 are everything.
    ['lists of everything', 'hip:k=448,block=64,dense=0'],
    ['lists of everything that heads share', 'hip:k=448,block=64,dense=0,share=group,rows=17,row-stride=2'],
  ])('with room for everything it is dense attention: %s', async (_, spec) => {
    const text = ids.slice(0, 638);
    const nll = (options: OpenOptions) =>
      opened(options, async (session) => (await session.score({ ids: text })).losses);
    const [all, dense] = [await nll(attend(spec)), await nll({})];
    expect(Math.max(...all.map((loss, i) => Math.abs(loss - (dense[i] ?? 0))))).toBeLessThan(1e-3);
  });

  test('a tight budget reads that much, and chooses it by few keys', async () => {
    const [all, some] = [await losses({}), await losses(attend(tight))];
    expect(some.reads.pairs).toBeLessThan(0.6 * all.reads.pairs);
    expect(some.reads.choosing).toBeGreaterThan(0);
    expect(some.mean).toBeLessThan(all.mean + 0.5);
    expect(some.mean).not.toBe(all.mean);
  });

  test('may be for prompts or for answers alone', async () => {
    const read = (text: string) =>
      opened(attend(text), async (session) => {
        await session.prefill(prompt());
        const { pairs } = session.reads;
        await session.complete(prompt(), { maxTokens: 5, ignoreEnd: true });
        return { prompt: pairs, answer: session.reads.pairs - pairs };
      });
    const [both, dense] = [await read(tight), await read('dense')];
    expect(await read(`${tight},sparse=prefill`)).toEqual({ prompt: both.prompt, answer: dense.answer });
    expect(await read(`${tight},sparse=decode`)).toEqual({ prompt: dense.prompt, answer: both.answer });
    const end = await read(`${tight},end=dense`);
    expect(end.answer).toBe(both.answer);
    expect(end.prompt).toBeGreaterThan(both.prompt);
    expect(end.prompt).toBeLessThan(dense.prompt);
    expect(both.answer).toBeLessThan(dense.answer / 2);
  });

  test('the search is made anew every so many tokens of an answer', async () => {
    const choosing = (refresh: number) =>
      opened(attend(tight.replace('refresh=4', `refresh=${refresh}`)), async (session) => {
        await session.prefill(prompt());
        const before = session.reads.choosing;
        await session.complete(prompt(), { maxTokens: 17, ignoreEnd: true });
        return session.reads.choosing - before;
      });
    const [each, fourth] = [await choosing(1), await choosing(4)];
    expect(each).toBeGreaterThan(3.5 * fourth);
    expect(each).toBeLessThan(4.5 * fourth);
  });

  test.each([
    ['snapkv:budget=25%,window=16', ['f32', 'q4']],
    ['streaming-llm:sinks=4,recent=200', ['f16', 'kv4']],
    ['razor-attention:s0=200', ['q8']],
  ] as const)('goes with %s, in stores %s', async (text, stores) => {
    const keep = parseMethod.keep(text)!;
    for (const store of stores) {
      const found = await losses({ ...attend(tight), keep, store });
      expect(found.mean).toBeLessThan((await losses({ keep, store })).mean + 0.7);
    }
  });

  test('an answer is the same again, in a session of its own, on a fork, restored half-way, and in a batch', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'loci-hip-'));
    const path = join(folder.path, 'session');
    const expected = await generated(attend(tight));
    await opened(attend(tight), async (session) => {
      const options = { maxTokens: 14, ignoreEnd: true };
      expect((await session.complete(prompt(), options)).ids).toEqual(expected);
      // Behind a cache that is cut back.
      expect((await session.complete(prompt(), options)).ids).toEqual(expected);
      expect((await session.complete({ ids: ids.slice(0, 590) }, options)).ids.length).toBe(14);
    });
    await opened(attend(tight), async (session) => {
      const { ids: start } = await session.complete(prompt(), { maxTokens: 6, ignoreEnd: true });
      await session.save(path);
      const half = { ids: [...prompt().ids, ...start] };
      const options = { maxTokens: 8, ignoreEnd: true };
      const fork = session.fork();
      const restored = await model.restore(path, attend(tight));
      const answers = await Promise.all([session, fork, restored].map((one) => one.complete(half, options)));
      for (const { ids: rest } of answers) expect([...start, ...rest]).toEqual(expected);
      fork.close();
      restored.close();
    });
  });

  test('sequences in one batch do not disturb one another', async () => {
    const alone = await losses(attend(tight));
    const [a, b] = await Promise.all([losses(attend(tight)), losses({ store: 'q8' })]);
    expect(Math.max(...a.nll.map((loss, i) => Math.abs(loss - (alone.nll[i] ?? 0))))).toBeLessThan(1e-6);
    expect(b.nll.every(Number.isFinite)).toBe(true);
  });

  test('what makes no sense is refused with the numbers', () => {
    expect(() => hipAttention.parse('k=100,block=64')).toThrow('k is 100; it must be a multiple of block, which is 64');
    expect(() => hipAttention.parse('block=24')).toThrow('block is 24; it must be a power of two');
    expect(() => hipAttention.parse('rows=4,row-stride=8')).toThrow(
      'row-stride is 8; it must be at most rows, which is 4',
    );
    expect(() => hipAttention.parse('k=0')).toThrow('k is "0"; it must be at least 1');
    expect(() => hipAttention.parse('k=16')).toThrow('k is 16; it must be a multiple of block, which is 32');
  });

  test('a search that is too large for the scratch memory is refused', async () => {
    await expect(model.open(attend('hip:k=65536,block=1'))).rejects.toThrow(/its search needs \d+ bytes a thread/);
  });
});
