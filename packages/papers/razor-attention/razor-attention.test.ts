import { readFileSync } from 'node:fs';
import { fc, test as property } from '@fast-check/vitest';
import { Random } from '@loci/evaluate/random';
import { loadModel, type Model } from 'loci';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { largestGap, lastLogits } from '../keeping/logits.ts';
import { alibiReach, normedInputs, randomLayer, weightBeyond } from './alibi.ts';
import { compensated } from './compensated.ts';
import { handBuiltScores } from './hand-built.ts';
import { razorAttention, windowSlots } from './keep.ts';
import { Means } from './means.ts';
import { copiesOf, inductionScores, repeatedTexts, repeatedTokens, repetitionScores } from './probe.ts';
import { type BiasedSlot, biasedAttention, compensation } from './reference.ts';

const d = 8;
const vector = fc.array(fc.float({ min: -3, max: 3, noNaN: true }), { minLength: d, maxLength: d });
const slot = fc.record({ key: vector, value: vector, bias: fc.constant(0) });
const slots = fc.array(slot, { minLength: 1, maxLength: 12 });

describe('the slot that stands for others', () => {
  property.prop([vector, slots, slots])(
    'is as good as N copies of the mean, and never gets more attention than the slots themselves',
    (query, kept, dropped) => {
      const one = compensation(dropped);
      const copies = dropped.map((): BiasedSlot => ({ ...one, bias: 0 }));
      const [biased, copied] = [[one], copies].map((some) => biasedAttention(query, [...kept, ...some], 0.5));
      expect(largestGap(biased ?? [], copied ?? [])).toBeLessThan(1e-9);
      const layer = {
        queries: Float32Array.from(query),
        keys: [Float32Array.from([...dropped, ...kept].flatMap(({ key }) => key))],
        values: [Float32Array.from([...dropped, ...kept].flatMap(({ value }) => value))],
      };
      const found = compensated(layer, 0, layer.queries, dropped.length + kept.length, [0, dropped.length]);
      expect(found.share).toBeLessThanOrEqual(1 + 1e-9);
    },
  );

  property.prop([fc.array(slots, { minLength: 1, maxLength: 5 })])(
    'is the same whether slots come at once or piece by piece, and outlives saving',
    (pieces) => {
      const [at, whole] = [new Means(2, d), compensation(pieces.flat())];
      for (const piece of pieces) {
        const rows = (name: 'key' | 'value') => Float32Array.from(piece.flatMap((one) => Array.from(one[name])));
        at.fold(1, { keys: rows('key'), values: rows('value') });
        at.counted(piece.length);
      }
      const restored = new Means(2, d);
      restored.restore(JSON.parse(JSON.stringify(at.save())));
      for (const means of [at, restored, at.copy()]) {
        expect(Math.log(means.count)).toBe(whole.bias);
        expect(largestGap(means.key(1), whole.key)).toBeLessThan(1e-5);
        expect(largestGap(means.value(1), whole.value)).toBeLessThan(1e-5);
        expect(means.key(0)).toEqual(new Float32Array(d));
      }
    },
  );

  test.each([null, {}, { count: -1, rows: '' }, { count: 1, rows: 'AAAA' }])('is not restored from %j', (state) => {
    expect(() => new Means(1, d).restore(state)).toThrow(RangeError);
  });
});

describe('ALiBi', () => {
  property.prop([fc.integer()], { numRuns: 5 })('no weight lies beyond the reach of a head', (seed) => {
    const random = new Random(`layer ${seed}`);
    const layer = randomLayer(random);
    const inputs = normedInputs(layer, random, 96);
    for (const head of layer.heads) {
      expect(weightBeyond(layer, head, inputs, alibiReach(layer, head, 0.001))).toBeLessThanOrEqual(0.001);
    }
  });
});

test('earlier copies are those of the text that repeats, and never what stands before it', () => {
  expect([copiesOf(0, 4, 1), copiesOf(4, 4, 1), copiesOf(5, 4, 1), copiesOf(16, 4, 1), copiesOf(17, 4, 1)]).toEqual([
    [],
    [],
    [1],
    [12, 8, 4],
    [],
  ]);
});

test('a hand-built induction head scores as one, other heads do not', () => {
  const block = new Random('block').shuffled(Array.from({ length: 24 }, (_, i) => i));
  const [[previous, itself] = [], [exact, even] = []] = handBuiltScores([...block, ...block, ...block, ...block], 24);
  expect(exact).toBeGreaterThan(0.9);
  expect(Math.max(previous ?? 1, itself ?? 1, even ?? 1)).toBeLessThan(0.1);
});

test('windows are whole pages, and grow with the text', () => {
  const settings = { sinks: 4, s0: 256, c: 5, token: 'mean' } as const;
  expect([100, 1280, 1300, 8192].map((n) => windowSlots(settings, n))).toEqual([288, 288, 288, 1664]);
  expect(windowSlots({ ...settings, s0: 28, token: 'none' }, 100)).toBe(32);
});

describe('SmolLM2', () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel();
  });
  afterAll(() => model.close());

  const golden = z
    .object({
      k: z.number(),
      seed: z.number(),
      induction: z.array(z.array(z.number())),
      echo: z.array(z.array(z.number())),
    })
    .parse(JSON.parse(readFileSync(new URL('./golden/induction.json', import.meta.url), 'utf8')));

  test('all heads score as they do by whole attention matrices', async () => {
    const { k, seed, induction, echo } = golden;
    const found = await repetitionScores(model, repeatedTokens(model, k, seed), k);
    expect(largestGap(found.scores.flat(), induction.flat())).toBeLessThan(1e-4);
    expect(largestGap(found.echo.flat(), echo.flat())).toBeLessThan(1e-4);
  });

  test('scores of several texts are means, and are measured in sessions as they were asked for', async () => {
    const [k, open] = [24, { precision: 'int8', store: 'q8' } as const];
    const done: number[] = [];
    const both = await inductionScores(model, { k, seed: 5, cases: 2, open, onProgress: (share) => done.push(share) });
    expect(both.made.settings).toEqual({ k, copies: 4, count: 2, precision: 'int8', store: 'q8' });
    const texts = [...repeatedTexts(model, k, 5).take(2)];
    expect(new Set(texts.map(String)).size).toBe(2);
    const single: number[][] = [];
    for (const ids of texts) single.push((await repetitionScores(model, ids, k, { open })).scores.flat());
    const mean = single[0]?.map((score, head) => (score + (single[1]?.[head] ?? Number.NaN)) / 2);
    expect(largestGap(both.scores.flat(), mean ?? [])).toBeLessThan(1e-5);
    const exact = await inductionScores(model, { k, seed: 5 });
    expect(exact.made.settings).toMatchObject({ count: 1, precision: 'float32', store: 'f32' });
    expect(exact.scores).not.toEqual((await inductionScores(model, { k, seed: 5, open })).scores);
    expect([done[0], done.at(-1)]).toEqual([0, 2]);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
  });

  test('scoring stops when it is told to, and methods that hide slots are refused', async () => {
    const controller = new AbortController();
    const stopped = inductionScores(model, {
      k: 24,
      cases: 1000,
      signal: controller.signal,
      onProgress: (share) => share > 0 && controller.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ code: 'aborted' });
    const hidden = inductionScores(model, { k: 24, open: { keep: razorAttention.with() } });
    await expect(hidden).rejects.toThrow(/--probe induction.*--keep razor-attention/);
  });

  test('one dropped position is its own mean, also when it leaves the window later', async () => {
    const ids = repeatedTokens(model, 160, 0, 1).slice(0, 140);
    const options = { precision: 'float32' } as const;
    const keep = razorAttention.with({ s0: 123, c: 1_000_000, protect: 'none' });
    const dense = await lastLogits(model, options, ids, 128);
    expect(largestGap(await lastLogits(model, { ...options, keep }, ids, 128), dense)).toBeLessThan(1e-4);
    expect(largestGap(await lastLogits(model, { ...options, keep }, ids, 136), dense)).toBeGreaterThan(1e-4);
  });

  test('what leaves the window while text is generated is folded in, a page at a time', async () => {
    const session = await model.open({ keep: razorAttention.with({ s0: 27, c: 1000, protect: 'none' }) });
    await session.complete({ ids: repeatedTokens(model, 40, 0, 1) }, { maxTokens: 100, ignoreEnd: true });
    for (const positions of session.kept.flat()) {
      expect(positions.length).toBeLessThan(64);
      expect([...positions.slice(0, 5)]).toEqual([-1, 0, 1, 2, 3]);
      expect(positions.at(-1)).toBe(139);
      expect([...positions.slice(5)]).toEqual(
        Array.from({ length: positions.length - 5 }, (_, i) => i + 145 - positions.length),
      );
    }
    session.close();
  });

  test.each([
    ['k is 7; it must be from 8', () => repeatedTokens(model, 7, 0)],
    ['induction is 1.5; it must be at most 1', () => razorAttention.with({ induction: 1.5 })],
    ['echo is -1; it must be at least 0', () => razorAttention.with({ echo: -1 })],
  ])('refuses: %s', (message, make) => {
    expect(make).toThrow(message);
  });
});
