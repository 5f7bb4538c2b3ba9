import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadModel } from '../load.ts';
import type { Model } from './model.ts';

const text = readFileSync(new URL('../../../data/moby-dick.txt', import.meta.url), 'utf8');
const question = (content: string) => ({ messages: [{ role: 'user', content }] });

let model: Model;
let folder: string;
beforeAll(async () => {
  model = await loadModel(undefined, { threads: 2 });
  folder = mkdtempSync(join(tmpdir(), 'loci-session-'));
});
afterAll(async () => {
  await model.close();
  rmSync(folder, { recursive: true });
});

const tokens = (from: number, n: number) => model.idsOf(text.slice(from, from + n * 8)).slice(0, n);
const difference = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Number.NaN))), 0);

describe('a session', () => {
  test('reuses the longest common prefix and says the same as one that reads everything', async () => {
    const shared = tokens(0, 300);
    const [first, second] = [tokens(9000, 40), tokens(20_000, 50)].map((end) => Int32Array.of(...shared, ...end));
    const warm = await model.open();
    await warm.prefill({ ids: first ?? [] });
    const reused = await warm.prefill({ ids: second ?? [] });
    expect(reused.reusedTokens).toBe(300);
    const cold = await model.open();
    const fresh = await cold.prefill({ ids: second ?? [] });
    expect(fresh.reusedTokens).toBe(0);
    expect(difference(reused.logits, fresh.logits)).toBeLessThan(1e-3);
    expect(warm.ids).toEqual(cold.ids);
    expect(warm.kvBytes).toBe(cold.kvBytes);
    // The very same prompt again needs one token at most.
    expect((await warm.prefill({ ids: second ?? [] })).reusedTokens).toBeGreaterThanOrEqual(349);
    warm.close();
    cold.close();
  });

  test('gives the same tokens alone and beside others in a batch', async () => {
    const prompts = ['Name a river in France.', 'What is 2 + 2?', 'Who wrote Moby-Dick?', 'Say hello in Spanish.'];
    const options = { maxTokens: 12 };
    const alone: (readonly number[])[] = [];
    for (const prompt of prompts) {
      const session = await model.open();
      alone.push((await session.complete(question(prompt), options)).ids);
      session.close();
    }
    const together = await Promise.all(
      prompts.map(async (prompt) => {
        const session = await model.open();
        const { ids } = await session.complete(question(prompt), options);
        session.close();
        return ids;
      }),
    );
    expect(together).toEqual(alone);
  });

  test('stops soon after an abort, keeps what it read, and goes on', async () => {
    const ids = tokens(0, 2000);
    const session = await model.open();
    const controller = new AbortController();
    let aborted = 0;
    const work = session.prefill(
      { ids },
      {
        signal: controller.signal,
        onProgress: ({ doneTokens }) => {
          if (doneTokens !== 512) return;
          aborted = performance.now();
          controller.abort();
        },
      },
    );
    await expect(work).rejects.toMatchObject({ code: 'aborted' });
    expect(performance.now() - aborted).toBeLessThan(1000);
    expect(session.ids).toEqual(Array.from(ids.subarray(0, 512)));
    const { reusedTokens } = await session.prefill({ ids: ids.subarray(0, 600) });
    expect(reusedTokens).toBe(512);
    session.close();
  });

  test('leaves the event loop free while it reads', async () => {
    const session = await model.open();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 20);
    const started = performance.now();
    await session.prefill({ ids: tokens(0, 1000) });
    const elapsed = performance.now() - started;
    clearInterval(timer);
    // Other work on the machine may cost some ticks, a blocked loop would cost nearly all.
    expect(ticks).toBeGreaterThan(elapsed / 20 / 2);
    session.close();
  });

  test('refuses a prompt longer than the window with the two numbers, before reading any of it', async () => {
    const session = await model.open();
    const ids = Int32Array.from({ length: 9000 }, () => 100);
    await expect(session.complete({ ids })).rejects.toMatchObject({
      code: 'too-long',
      message: expect.stringMatching(/9000 tokens.*8192.*shorten/),
    });
    expect(session.ids).toEqual([]);
    session.close();
  });

  test('ends where the window ends', async () => {
    const session = await model.open({ contextLength: 40 });
    const result = await session.complete({ ids: tokens(0, 38) }, { ignoreEnd: true });
    expect(result.stopReason).toBe('window');
    expect(result.ids).toHaveLength(3);
    session.close();
    await expect(model.open({ contextLength: 10_000 })).rejects.toMatchObject({ code: 'bad-option' });
  });

  test('goes on from a file as it would have gone on by itself', async () => {
    const path = join(folder, 'session.loci');
    const session = await model.open({ store: 'q8' });
    await session.prefill(question('Tell me a short story about a whale.'));
    await session.save(path);
    const restored = await model.restore(path);
    expect(restored.ids).toEqual(session.ids);
    expect(restored.kvBytes).toBe(session.kvBytes);
    const next = Int32Array.of(...session.ids, ...model.idsOf('Once upon a time'));
    const expected = await session.complete({ ids: next }, { maxTokens: 10 });
    const found = await restored.complete({ ids: next }, { maxTokens: 10 });
    expect(found.ids).toEqual(expected.ids);
    expect(found.reusedTokens).toBe(expected.reusedTokens);
    session.close();
    restored.close();
  });

  test('refuses a saved file that is cut, changed, or from another place', async () => {
    const path = join(folder, 'damaged.loci');
    const session = await model.open();
    await session.prefill('It was a dark and stormy night.');
    await session.save(path);
    session.close();
    const good = readFileSync(path);
    const refused = async (bytes: Uint8Array) => {
      writeFileSync(path, bytes);
      await expect(model.restore(path)).rejects.toMatchObject({
        code: 'bad-file',
        message: expect.stringContaining(path),
      });
    };
    for (const length of [0, 5, 12, 40, 100, Math.floor(good.length / 2), good.length - 1]) {
      await refused(good.subarray(0, length));
    }
    for (let i = 0; i < 40; i++) {
      const changed = Uint8Array.from(good);
      const at = Math.floor((good.length * (i + 0.5)) / 40);
      changed[at] = (changed[at] ?? 0) ^ (1 << (i % 8));
      await refused(changed);
    }
    await refused(Uint8Array.of(...good.subarray(0, 1000), 0));
    await refused(new TextEncoder().encode('not a session at all, but long enough to hold a header'));
  });

  test('scores continuations as it scores the whole text', async () => {
    const session = await model.open({ precision: 'float32' });
    const prompt = tokens(3000, 60);
    const endings = [tokens(3500, 12), tokens(8000, 1), tokens(9000, 30)];
    const losses = await session.scoreContinuations({ ids: prompt }, endings);
    for (const [i, ending] of endings.entries()) {
      const whole = await session.score({ ids: Int32Array.of(...prompt, ...ending) });
      expect(difference(losses[i] ?? [], whole.losses.subarray(prompt.length - 1))).toBeLessThan(1e-3);
      expect(losses[i]).toHaveLength(ending.length);
    }
    expect(session.ids).toEqual(Array.from(prompt));
    session.close();
  });

  test('reads embeddings as it reads the tokens they belong to', async () => {
    const session = await model.open({ precision: 'float32' });
    const ids = tokens(0, 20);
    const rows: number[] = [];
    for (const id of ids) rows.push(...((await session.hiddenStates({ ids: [id] }))[0] ?? []));
    const byId = await session.prefill({ ids });
    const byRow = await session.prefill({ embeddings: Float32Array.from(rows) });
    expect(difference(byId.logits, byRow.logits)).toBe(0);
    session.close();
  });

  test('keeps forks apart and returns all pages', async () => {
    const session = await model.open();
    await session.prefill('The quick brown fox');
    const fork = session.fork();
    const before = [...session.ids];
    const alone = await fork.complete({ ids: fork.ids }, { maxTokens: 6 });
    expect(session.ids).toEqual(before);
    expect((await session.complete({ ids: before }, { maxTokens: 6 })).ids).toEqual(alone.ids);
    session.close();
    fork.close();
  });

  test.each([
    { store: 'q8', loss: 0.01, share: 0.56 },
    { store: 'q4', loss: 0.06, share: 0.33 },
    { store: 'kv4', loss: 0.15, share: 0.3 },
  ] as const)('loses at most $loss nats with a $store cache, of $share of the bytes of f16', async (one) => {
    const ids = tokens(5000, 600);
    const score = async (store: 'f16' | 'q8' | 'q4' | 'kv4') => {
      const session = await model.open({ store });
      const { meanNll } = await session.score({ ids });
      await session.prefill({ ids });
      const { kvBytes } = session;
      session.close();
      return { meanNll, kvBytes };
    };
    const [half, less] = [await score('f16'), await score(one.store)];
    expect(Math.abs(half.meanNll - less.meanNll)).toBeLessThan(one.loss);
    expect(less.kvBytes / half.kvBytes).toBeLessThan(one.share);
  });

  test('what a q4 cache holds answers token by token as it does at once', async () => {
    const ids = tokens(6000, 100);
    const [whole, stepwise] = [await model.open({ store: 'q4' }), await model.open({ store: 'q4' })];
    const { meanNll } = await whole.score({ ids });
    let sum = 0;
    for (let from = 0; from < ids.length - 1; from++) {
      const { logits } = await stepwise.prefill({ ids: ids.slice(0, from + 1) });
      const top = logits.reduce((most, x) => Math.max(most, x), Number.NEGATIVE_INFINITY);
      const total = logits.reduce((all, x) => all + Math.exp(x - top), 0);
      sum += Math.log(total) + top - (logits[ids[from + 1] ?? 0] ?? Number.NaN);
    }
    expect(Math.abs(sum / (ids.length - 1) - meanNll)).toBeLessThan(0.06);
    whole.close();
    stepwise.close();
  });

  test('draws the same text from the same seed', async () => {
    const session = await model.open();
    const options = { temperature: 0.9, topP: 0.95, seed: 42, maxTokens: 10 };
    const first = await session.complete(question('Invent a name for a ship.'), options);
    const second = await session.complete(question('Invent a name for a ship.'), options);
    expect(second.ids).toEqual(first.ids);
    session.close();
  });

  test('takes one call at a time', async () => {
    const session = await model.open();
    const first = session.prefill('One');
    await expect(session.prefill('Two')).rejects.toMatchObject({ code: 'bad-option' });
    await first;
    session.close();
  });
});
