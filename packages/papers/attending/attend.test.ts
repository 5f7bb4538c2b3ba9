import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadModel, type Model, type OpenOptions, type Session } from 'loci';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bookText, largestGap } from '../keeping/logits.ts';
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
const stores = ['f32', 'f16', 'q8', 'q4', 'kv4'] as const;

let model: Model;
let ids: Int32Array;
beforeAll(async () => {
  model = await loadModel();
  ids = bookText(model, 460);
});
afterAll(() => model.close());

async function opened<T>(options: OpenOptions, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await model.open(options);
  try {
    return await work(session);
  } finally {
    session.close();
  }
}

const prompt = () => ({ ids: ids.slice(0, 400) });
const losses = (text: string, more: OpenOptions = {}) =>
  opened({ ...parseMethods(text), ...more }, async (session) => {
    const [nll = new Float64Array()] = await session.scoreContinuations(prompt(), [ids.slice(400)]);
    return { nll, reads: session.reads };
  });

describe.each(attends)('$name', ({ all, tight }) => {
  test.each(stores)('that reads everything is dense attention, over %s', async (store) => {
    const [listed, dense] = [await losses(`attend=${all},store=${store}`), await losses(`store=${store}`)];
    expect(largestGap(listed.nll, dense.nll)).toBeLessThan(1e-5);
  });

  test.each(['snapkv:budget=96,window=16', 'knorm:budget=96'])('goes with keep=%s, and reads less', async (keep) => {
    for (const store of ['f16', 'q4']) {
      const sparse = await losses(`attend=${tight},keep=${keep},store=${store}`);
      const kept = await losses(`keep=${keep},store=${store}`);
      expect(sparse.nll.every(Number.isFinite)).toBe(true);
      expect(sparse.reads.pairs).toBeLessThan(kept.reads.pairs);
    }
  });

  test('a saved session goes on as if it had never been closed', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'loci-attend-')), 'session');
    const options = parseMethods(`attend=${tight}`);
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
    const [a, b] = await Promise.all([losses(`attend=${tight}`), losses('dense')]);
    expect(largestGap(a.nll, alone.nll)).toBeLessThan(1e-6);
    expect(largestGap(b.nll, alone.nll)).toBeGreaterThan(1e-3);
  });

  test('a text that begins otherwise gets what a new session gives it', async () => {
    const options = parseMethods(`attend=${tight}`);
    const other = ids.slice(0, 400);
    other[250] = 50;
    const fresh = await opened(options, async (session) => (await session.prefill({ ids: other })).logits);
    await opened(options, async (session) => {
      await session.prefill(prompt());
      const { logits, reusedTokens } = await session.prefill({ ids: other });
      expect(reusedTokens).toBe(250);
      expect(largestGap(logits, fresh)).toBeLessThan(1);
    });
  });
});
