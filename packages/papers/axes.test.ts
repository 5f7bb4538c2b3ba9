import { readFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PageFormat } from '@loci/kernels';
import { type Keep, LociError, loadModel, type Model, type OpenOptions, pages, type Session } from 'loci';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inSession } from './methods/in-session.ts';
import { parseMethod } from './registry.ts';

/** What every keep method must satisfy, each with options under which it keeps everything, and with those of a tight budget. */
const keeps = [
  { name: 'snapkv', all: 'snapkv:budget=2000', tight: 'snapkv:budget=48,window=16', window: 16 },
  { name: 'snapkv over heads', all: 'snapkv:budget=2000', tight: 'snapkv:budget=25%,window=16,budgets=ada' },
  { name: 'razor-attention', all: 'razor-attention:s0=2000', tight: 'razor-attention:s0=60,c=20' },
  {
    name: 'duo-attention',
    all: 'duo-attention:recent=2000',
    tight: 'duo-attention:sparsity=0.86,sinks=4,recent=60',
  },
  { name: 'streaming-llm', all: 'streaming-llm:recent=2000', tight: 'streaming-llm:sinks=4,recent=60' },
] as const;
/** Those that differ from the first in their scores or budgets alone. */
const scored = [
  { name: 'snapkv in pages', all: 'snapkv:budget=2000', tight: 'snapkv:budget=25%,window=16,budgets=pages-model' },
  { name: 'ada-snapkv', all: 'ada-snapkv:budget=2000', tight: 'ada-snapkv:budget=25%,window=16' },
  { name: 'pyramidkv', all: 'pyramidkv:budget=2000', tight: 'pyramidkv:budget=25%,window=16' },
  { name: 'h2o', all: 'h2o:budget=2000', tight: 'h2o:budget=64' },
  { name: 'tova', all: 'tova:budget=2000', tight: 'tova:budget=64' },
  { name: 'knorm', all: 'knorm:budget=2000', tight: 'knorm:budget=64,recent=1' },
  { name: 'expected-attention', all: 'expected-attention:budget=2000', tight: 'expected-attention:budget=64,recent=1' },
  { name: 'random', all: 'random:budget=2000', tight: 'random:budget=64' },
] as const;
const stores = ['f32', 'f16', 'q8', 'q4', 'kv4'] as const;

let model: Model;
let ids: Int32Array;
beforeAll(async () => {
  model = await loadModel();
  const book = readFileSync(new URL('../../data/moby-dick.txt', import.meta.url), 'utf8').slice(40_000, 44_000);
  ids = model.tokenizer.encode(book, { special: 'text' }).slice(0, 700);
});
afterAll(() => model.close());

const opened = <T>(options: OpenOptions, work: (session: Session) => Promise<T>) => inSession(model, options, work);

const keepOf = (text: string): { keep: Keep } => ({ keep: parseMethod.keep(text)! });
const prompt = () => ({ ids: ids.slice(0, 600) });
const rest = () => ids.slice(600);
const losses = (options: OpenOptions) =>
  opened(options, async (session) => (await session.scoreContinuations(prompt(), [rest()]))[0]!);

/** Of dense attention over a whole cache, by store: losses, and the bytes of the prompt's cache. */
const dense = new Map<PageFormat, Promise<{ readonly losses: Float64Array; readonly kvBytes: number }>>();

function denseIn(store: PageFormat) {
  const found =
    dense.get(store) ??
    opened({ store }, async (session) => {
      await session.prefill(prompt());
      const { kvBytes } = session;
      const [own] = await session.scoreContinuations(prompt(), [rest()]);
      return { losses: Float64Array.from(own ?? []), kvBytes };
    });
  dense.set(store, found);
  return found;
}

async function expectDense(all: string, store: PageFormat): Promise<void> {
  const whole = await denseIn(store);
  const kept = await losses({ store, ...keepOf(all) });
  const gaps = Array.from(kept, (loss, i) => loss - (whole.losses[i] ?? 0));
  if (store === 'f32' || store === 'f16') expect(Math.max(...gaps.map(Math.abs))).toBeLessThan(2e-4);
  // What was read in halves is rounded to the store afterwards, and not layer by layer on the way. That moves single
  // losses by 0.1 either way, as any rounding does; together they stay.
  else
    expect(Math.abs(gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length)).toBeLessThan(store === 'q8' ? 0.04 : 0.1);
}

async function expectTight(tight: string, store: PageFormat): Promise<void> {
  await opened({ store, ...keepOf(tight) }, async (session) => {
    const { kvBytes: before } = await denseIn(store);
    await session.prefill(prompt());
    const counts = session.kept.flat().map(({ length }) => length);
    const pageCount = counts.reduce((sum, length) => sum + Math.ceil(length / 32), 0);
    expect(session.kvBytes).toBeLessThan(before / 2.5);
    expect(session.kvBytes % pageCount).toBe(0);
    for (const positions of session.kept.flat()) {
      expect(positions.at(-1)).toBe(599);
      expect([...positions]).toEqual([...positions].sort((a, b) => a - b));
    }
    const [nll] = await session.scoreContinuations(prompt(), [rest()]);
    expect(nll?.every(Number.isFinite)).toBe(true);
  });
}

describe.each(scored)('$name', ({ all, tight }) => {
  test('with room for everything it is dense attention', () => expectDense(all, 'f16'));
  test('a tight budget holds that many slots and their pages', () => expectTight(tight, 'q4'));
});

describe.each(keeps)('$name', ({ all, tight }) => {
  test.each(stores)('with room for everything it is dense attention, in %s', (store) => expectDense(all, store));

  test.each(stores)('a tight budget holds that many slots and their pages, in %s', (store) =>
    expectTight(tight, store),
  );

  test('a text that begins otherwise is read anew, and gets what a new session gives it', async () => {
    const other = ids.slice(0, 600);
    other[300] = 50;
    const fresh = await opened(keepOf(tight), (session) => session.complete({ ids: other }, { maxTokens: 8 }));
    await opened(keepOf(tight), async (session) => {
      await session.complete(prompt(), { maxTokens: 8 });
      const { ids: generated, reusedTokens, kvBytes } = await session.complete({ ids: other }, { maxTokens: 8 });
      expect({ generated, reusedTokens, kvBytes }).toEqual({
        generated: fresh.ids,
        reusedTokens: 0,
        kvBytes: fresh.kvBytes,
      });
    });
  });

  test('what follows the prompt is read behind what was kept', async () => {
    await opened(keepOf(tight), async (session) => {
      const { ids: answer } = await session.complete(prompt(), { maxTokens: 4, ignoreEnd: true });
      const before = session.kept[3]?.[1]?.slice(0, 20) ?? [];
      const { reusedTokens } = await session.prefill({ ids: [...prompt().ids, ...answer, ...rest()] });
      expect(reusedTokens).toBeGreaterThanOrEqual(600);
      expect(session.kept[3]?.[1]?.slice(0, 4)).toEqual(before.slice(0, 4));
    });
  });

  test('a saved session goes on as if it had never been closed, and with no other method', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'loci-axes-'));
    const path = join(folder.path, 'session');
    await opened({ store: 'q8', ...keepOf(tight) }, async (session) => {
      await session.prefill(prompt());
      await session.save(path);
      const kept = session.kept;
      // Both read one token behind what was saved: one that is read again, by itself, is rounded otherwise.
      const more = { ids: [...prompt().ids, ...rest().slice(0, 1)] };
      const straight = await session.complete(more, { maxTokens: 12, ignoreEnd: true });
      const restored = await model.restore(path, keepOf(tight));
      expect(restored.kept).toEqual(kept);
      const again = await restored.complete(more, { maxTokens: 12, ignoreEnd: true });
      expect(again.ids).toEqual(straight.ids);
      restored.close();
    });
    await expect(model.restore(path)).rejects.toThrow(/saved with .* for keep, and is opened without any/);
  });

  test('sequences in one batch do not disturb one another', async () => {
    const alone = await losses(keepOf(tight));
    const [a, b] = await Promise.all([losses(keepOf(tight)), losses({ store: 'q8' })]);
    expect(a.map((loss, i) => Math.abs(loss - (alone[i] ?? 0))).every((gap) => gap < 1e-6)).toBe(true);
    expect(b.every(Number.isFinite)).toBe(true);
  });
});

test('methods that decide the same are refused by name, and a store of formats is one of them', async () => {
  const attend = {
    axis: 'attend',
    name: 'near',
    spec: 'near',
    needs: { decides: ['sight'] },
    sight: () => undefined,
  } as const;
  const opening = model.open({ attend, ...keepOf('streaming-llm') });
  await expect(opening).rejects.toThrow(LociError);
  await expect(opening).rejects.toThrow(
    '--attend near and --keep streaming-llm:sinks=4,recent=1020 both decide how far heads see',
  );
  await expect(model.open({ ...keepOf('snapkv'), store: pages('q4') }).then((s) => s.close())).resolves.toBeUndefined();
});
