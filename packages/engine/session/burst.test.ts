import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadModel } from '../load.ts';
import type { GenerateOptions } from './generate.ts';
import type { Model } from './model.ts';
import { single as oneByOne } from './scheduler.ts';
import type { Session } from './session.ts';

const stores = ['f32', 'f16', 'q8', 'kv4', 'q4'] as const;
const prompt = { ids: Array.from({ length: 40 }, (_, i) => 100 + ((7 * i) % 4000)) };
const greedy = { temperature: 0, ignoreEnd: true } as const;
const drawn = { temperature: 0.9, topP: 0.95, seed: 4, ignoreEnd: true } as const;

let programs = 0;
const observer = () => {
  programs++;
  return undefined;
};
/** Gives out every token by itself, and as many together as it can. */
let single: Model;
let bursts: Model;

beforeAll(async () => {
  single = await loadModel(undefined, { threads: 2, burst: oneByOne });
  bursts = await loadModel(undefined, { threads: 2, burst: { tokens: 8, ms: Number.POSITIVE_INFINITY }, observer });
});

afterAll(async () => {
  await single.close();
  await bursts.close();
});

/** What two prompts one behind the other say, and what the session holds at the end. */
async function said(session: Session, options: GenerateOptions) {
  const first = await session.complete(prompt, options);
  const held = [...session.ids];
  const second = await session.complete({ ids: [...prompt.ids, ...first.ids.slice(0, 21), 5, 6, 7] }, options);
  const { kvBytes } = session;
  session.close();
  return { ids: first.ids, held, behind: second.ids, reused: second.reusedTokens, kvBytes };
}

describe('tokens that are taken ahead', () => {
  test.each(stores)('are those that are taken one by one, and leave the same cache behind (%s)', async (store) => {
    for (const options of [greedy, drawn, { ...greedy, logitBias: new Map([[30, 5]]) }]) {
      const limited = { ...options, maxTokens: 30 };
      programs = 0;
      const together = await said(await bursts.open({ store }), limited);
      // Two prompts, their choices and 58 tokens; of those in bursts each first one comes alone.
      if (store === 'q4') expect(programs).toBe(2 + 2 + 58);
      else expect(programs).toBeLessThan(2 + 2 + 14);
      expect(together).toEqual(await said(await single.open({ store }), limited));
    }
  });

  test('do not go beyond the window, nor beyond what was asked for', async () => {
    for (const [maxTokens, contextLength] of [
      [10, 200],
      [100, 53],
    ] as const) {
      const [session, other] = [await bursts.open({ contextLength }), await single.open({ contextLength })];
      const { stopReason, ids, kvBytes } = await other.complete(prompt, { ...greedy, maxTokens });
      const together = await session.complete(prompt, { ...greedy, maxTokens });
      expect(together).toMatchObject({ stopReason, ids, kvBytes });
      session.close();
      other.close();
    }
  });

  test('are taken of sequences side by side, also where one ends before the others', async () => {
    const lengths = [6, 20, 33];
    const of = async (model: Model) => {
      const sessions = await Promise.all(lengths.map(() => model.open()));
      const ids = (i: number) => prompt.ids.map((id) => id + i);
      const results = await Promise.all(
        sessions.map((one, i) => one.complete({ ids: ids(i) }, { ...greedy, maxTokens: lengths[i] ?? 1 })),
      );
      for (const session of sessions) session.close();
      return results.map((result) => result.ids);
    };
    expect(await of(bursts)).toEqual(await of(single));
  });

  test('are forgotten where the text is left, goes on otherwise, or forks', async () => {
    const left = async (model: Model, taken: number) => {
      const session = await model.open();
      const ids: (number | undefined)[] = [];
      let fork: Session | undefined;
      for await (const { id } of session.generate(prompt, { ...greedy, maxTokens: 24 })) {
        ids.push(id);
        if (ids.length < taken) continue;
        fork = session.fork();
        break;
      }
      const found: unknown[] = [ids];
      for (const one of [session, fork]) {
        if (!one) continue;
        found.push(one.ids.slice(), one.kept[0]?.[0], one.kvBytes);
        const { ids: behind } = await one.complete({ ids: [...one.ids, 9] }, { ...greedy, maxTokens: 12 });
        found.push(behind);
        one.close();
      }
      return found;
    };
    for (const taken of [1, 2, 4, 7, 12]) expect(await left(bursts, taken)).toEqual(await left(single, taken));
  });

  test('end where the text ends', async () => {
    const said = async (model: Model) => {
      const session = await model.open();
      programs = 0;
      const content = 'Name a river in France.';
      const { ids, text, stopReason, kvBytes } = await session.complete({ messages: [{ role: 'user', content }] });
      const { reads } = session;
      session.close();
      return { ids, text, stopReason, kvBytes, reads };
    };
    const alone = await said(single);
    expect(alone.stopReason).toBe('end');
    // What is read beyond the end would count as read too.
    expect(await said(bursts)).toEqual(alone);
    expect(programs).toBeLessThan(alone.ids.length);
  });

  test('end with a stop string or an abort between them, and the session goes on', async () => {
    const session = await bursts.open();
    const whole = await session.complete(prompt, { ...greedy, maxTokens: 24 });
    const stop = whole.text.slice(8, 14);
    const stopped = await session.complete(prompt, { ...greedy, maxTokens: 24, stop: [stop] });
    expect(stopped).toMatchObject({ stopReason: 'stop', text: whole.text.slice(0, whole.text.indexOf(stop)) });
    for (const after of [1, 3, 6]) {
      const controller = new AbortController();
      let count = 0;
      const run = async () => {
        for await (const _ of session.generate(prompt, { ...greedy, maxTokens: 24, signal: controller.signal })) {
          if (++count === after) controller.abort();
        }
      };
      await expect(run()).rejects.toMatchObject({ code: 'aborted' });
      expect(count).toBe(after);
      expect(session.ids).toEqual([...prompt.ids, ...whole.ids.slice(0, after - 1)]);
    }
    expect((await session.complete(prompt, { ...greedy, maxTokens: 24 })).ids).toEqual(whole.ids);
    session.close();
  });
});
