import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadModel, type Model, type OpenOptions } from 'loci';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bookText } from '../keeping/logits.ts';
import { inSession } from '../methods/in-session.ts';
import { parseMethod } from '../registry.ts';

let model: Model;
let ids: Int32Array;
let dense: Awaited<ReturnType<typeof losses>>;
beforeAll(async () => {
  model = await loadModel();
  ids = bookText(model, 440);
  dense = await losses({});
});
afterAll(() => model.close());

const attend = (text: string) => ({ attend: parseMethod.attend(text) });
const prompt = () => ({ ids: ids.slice(0, 380) });

async function losses(options: OpenOptions) {
  return inSession(model, options, async (session) => {
    await session.prefill(prompt());
    const { pairs: read } = session.reads;
    await session.complete(prompt(), { maxTokens: 8, ignoreEnd: true });
    const { pairs, choosing } = session.reads;
    const [nll = new Float64Array()] = await session.scoreContinuations(prompt(), [ids.slice(380)]);
    const mean = nll.reduce((sum, loss) => sum + loss, 0) / nll.length;
    return { nll, mean, prompt: read, answer: pairs - read, choosing };
  });
}

describe.each([
  { name: 'quest', all: ['quest:budget=2048'], tight: 'quest:budget=128', less: 'answer', same: 'prompt' },
  {
    name: 'vertical-slash',
    all: ['vertical-slash:vertical=2048', 'vertical-slash:vertical=0,slash=0,nearest=379', 'vertical-slash:sinks=379'],
    tight: 'vertical-slash:vertical=64,slash=8,nearest=16,sinks=4',
    less: 'prompt',
    same: 'answer',
  },
] as const)('$name', ({ all, tight, less, same }) => {
  test('with room for everything it is dense attention', async () => {
    for (const text of all) {
      const { nll } = await losses(attend(text));
      expect(Math.max(...nll.map((loss, i) => Math.abs(loss - (dense.nll[i] ?? 0))))).toBeLessThan(1e-3);
    }
  });

  test('a tight budget reads that much, at its own moment', async () => {
    const some = await losses(attend(tight));
    expect(some[less]).toBeLessThan(0.6 * dense[less]);
    expect(some[same]).toBe(dense[same]);
    expect(some.choosing).toBeGreaterThan(0);
    expect(some.mean).toBeLessThan(dense.mean + 0.5);
    expect(some.mean).not.toBe(dense.mean);
  });

  test.each([
    ['snapkv:budget=60%,window=16', 'q4'],
    ['h2o:budget=200', 'q8'],
    ['streaming-llm:sinks=4,recent=250', 'kv4'],
  ] as const)('goes with %s, in %s', async (text, store) => {
    const keep = parseMethod.keep(text)!;
    const found = await losses({ ...attend(tight), keep, store });
    expect(found.mean).toBeLessThan((await losses({ keep, store })).mean + 0.7);
  });

  test('an answer is the same again, behind a cache that was cut; and goes on as on a fork, and restored', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'loci-sparse-'));
    const path = join(folder.path, 'session');
    const options = { maxTokens: 12, ignoreEnd: true };
    const { ids: expected } = await inSession(model, attend(tight), (one) => one.complete(prompt(), options));
    await inSession(model, attend(tight), async (session) => {
      expect((await session.complete(prompt(), options)).ids).toEqual(expected);
      // Other tokens have been where those of the prompt come again. Rows that are read anew after a cut choose together.
      await session.complete({ ids: ids.slice(0, 380).fill(50, 230) }, options);
      const { ids: again } = await session.complete(prompt(), options);
      if (less === 'answer') expect(again).toEqual(expected);
    });
    await inSession(model, attend(tight), async (session) => {
      const { ids: start } = await session.complete(prompt(), { ...options, maxTokens: 5 });
      const half = { ids: [...prompt().ids, ...start] };
      await session.save(path);
      const fork = session.fork();
      const restored = await model.restore(path, attend(tight));
      // The last token of an answer is read with what follows it, as part of a prompt.
      const answers = await Promise.all(
        [session, fork, restored].map((one) => one.complete(half, { ...options, maxTokens: 7 })),
      );
      for (const { ids: rest } of answers) expect(rest).toEqual(answers[0]?.ids);
      expect(start).toEqual(expected.slice(0, 5));
      fork.close();
      restored.close();
    });
  });
});
