import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadModel, type Model, type OpenOptions, type Session } from 'loci';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bookText, largestGap } from '../keeping/logits.ts';
import { inSession } from '../methods/in-session.ts';
import { parseMethods } from '../registry.ts';

/** What every attend method must satisfy, with options under which it reads everything, and with those under which it does not. */
const attends = [
  { name: 'window', all: 'window:recent=2000', tight: 'window:sinks=4,recent=60' },
  { name: 'power-attention', all: 'power-attention:window=100', tight: 'power-attention:window=2,block=16' },
  { name: 's2-attention', all: 's2-attention:stride=1', tight: 's2-attention:block=16,local=2,stride=3' },
  {
    name: 'neighborhood-attention',
    all: 'neighborhood-attention:window=2000',
    tight: 'neighborhood-attention:window=40,dilation=2,sinks=4',
  },
] as const;
const stores = ['f32', 'q8', 'q4'] as const;

let model: Model;
let ids: Int32Array;
beforeAll(async () => {
  model = await loadModel();
  ids = bookText(model, 250);
});
afterAll(() => model.close());

const opened = <T>(options: OpenOptions, work: (session: Session) => Promise<T>) => inSession(model, options, work);

const prompt = () => ({ ids: ids.slice(0, 200) });
const scored = async (text: string) =>
  opened(parseMethods(text), async (session) => {
    const [nll = new Float64Array()] = await session.scoreContinuations(prompt(), [ids.slice(200)]);
    return { nll, reads: session.reads };
  });
const known = new Map<string, ReturnType<typeof scored>>();

/** Losses under some methods, once for the methods of all tests. */
function losses(text: string): ReturnType<typeof scored> {
  const found = known.get(text) ?? scored(text);
  known.set(text, found);
  return found;
}

describe.each(attends)('$name', ({ all, tight }) => {
  test.each(stores)('that reads everything is dense attention, over %s', async (store) => {
    const [listed, dense] = [await losses(`attend=${all},store=${store}`), await losses(`store=${store}`)];
    expect(largestGap(listed.nll, dense.nll)).toBeLessThan(1e-5);
  });

  test('goes with a keep method and a store, and reads less', async () => {
    const keep = 'keep=snapkv:budget=64,window=16,store=q4';
    const [sparse, kept] = [await losses(`attend=${tight},${keep}`), await losses(keep)];
    expect(sparse.nll.every(Number.isFinite)).toBe(true);
    expect(sparse.reads.pairs).toBeLessThan(kept.reads.pairs);
  });

  test('a saved session goes on as if it had never been closed', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'loci-attend-'));
    const path = join(folder.path, 'session');
    const options = { precision: 'float32', ...parseMethods(`attend=${tight}`) } as const;
    await opened(options, async (session) => {
      await session.prefill(prompt());
      await session.save(path);
      const straight = await session.complete(prompt(), { maxTokens: 10, ignoreEnd: true });
      const restored = await model.restore(path, options);
      const { ids: generated } = await restored.complete(prompt(), { maxTokens: 10, ignoreEnd: true });
      restored.close();
      expect(generated).toEqual(straight.ids);
    });
    await expect(model.restore(path)).rejects.toThrow(/saved with .* for attend/);
  });

  test('sequences in one batch, and forks, do not disturb one another', async () => {
    const alone = await losses(`attend=${tight}`);
    const [a, b] = await Promise.all([scored(`attend=${tight}`), scored('dense')]);
    expect(largestGap(a.nll, alone.nll)).toBeLessThan(1e-6);
    expect(largestGap(b.nll, alone.nll)).toBeGreaterThan(1e-3);
  });

  test('a text that begins otherwise gets what a new session gives it', async () => {
    const options = { precision: 'float32', ...parseMethods(`attend=${tight}`) } as const;
    const other = ids.slice(0, 200);
    other[150] = 50;
    const fresh = await opened(options, async (session) => (await session.prefill({ ids: other })).logits);
    await opened(options, async (session) => {
      await session.prefill(prompt());
      const { logits, reusedTokens } = await session.prefill({ ids: other });
      expect(reusedTokens).toBe(150);
      expect(largestGap(logits, fresh)).toBeLessThan(1e-3);
    });
  });
});
