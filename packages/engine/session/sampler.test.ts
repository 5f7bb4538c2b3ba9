import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { LociError } from '../errors.ts';
import { Sampler, type SamplingOptions } from './sampler.ts';

const none: ReadonlySet<number> = new Set();
const logits = fc
  .array(fc.float({ min: -30, max: 30, noNaN: true }), { minLength: 1, maxLength: 200 })
  .map((values) => Float32Array.from(values));

/** How often each token is drawn. */
function frequencies(values: readonly number[], options: SamplingOptions, draws: number): number[] {
  const sampler = new Sampler(options);
  const counts = values.map(() => 0);
  for (let i = 0; i < draws; i++) {
    const id = sampler.sample(Float32Array.from(values), none, none);
    counts[id] = (counts[id] ?? 0) + 1;
  }
  return counts.map((count) => count / draws);
}

describe('a sampler', () => {
  property.prop([logits])('without temperature takes the first of the largest logits', (values) => {
    const best = values.indexOf(Math.max(...values));
    expect(new Sampler().sample(values, none, none)).toBe(best);
  });

  property.prop([logits, fc.integer()])('that keeps one token is greedy, however it is told to', (values, seed) => {
    const greedy = new Sampler().sample(values, none, none);
    const top = values[greedy];
    for (const options of [{ topK: 1 }, { topP: 1e-9 }]) {
      expect(new Sampler({ temperature: 1, seed, ...options }).sample(values, none, none)).toBe(greedy);
    }
    const least = new Sampler({ temperature: 1, minP: 1, seed }).sample(values, none, none);
    expect(values[least]).toBe(top);
  });

  property.prop([logits, fc.integer(), fc.double({ min: 0.1, max: 3, noNaN: true })])(
    'gives the same tokens for the same seed',
    (values, seed, temperature) => {
      const draw = () => {
        const sampler = new Sampler({ temperature, seed });
        return Array.from({ length: 8 }, () => sampler.sample(values, none, none));
      };
      expect(draw()).toEqual(draw());
    },
  );

  test('draws in proportion to exp(logit / temperature)', () => {
    const values = [0, 1, 2, -1];
    for (const temperature of [0.5, 1, 2]) {
      const weights = values.map((value) => Math.exp(value / temperature));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const found = frequencies(values, { temperature, seed: 7 }, 20_000);
      for (const [id, weight] of weights.entries()) expect(found[id]).toBeCloseTo(weight / total, 1.8);
    }
  });

  test('keeps the nucleus: the fewest tokens that reach p, and no others', () => {
    const values = [0.5, 0.3, 0.15, 0.05].map(Math.log);
    const found = frequencies(values, { temperature: 1, topP: 0.7, seed: 3 }, 4000);
    expect(found[0]).toBeCloseTo(0.625, 1.5);
    expect(found[1]).toBeCloseTo(0.375, 1.5);
    expect(found.slice(2)).toEqual([0, 0]);
    const relative = frequencies(values, { temperature: 1, minP: 0.25, seed: 3 }, 4000);
    expect(relative[2]).toBeGreaterThan(0);
    expect(relative[3]).toBe(0);
  });

  test('lowers what was seen, and adds biases', () => {
    const values = Float32Array.from([2, 1.9, -1]);
    expect(new Sampler({ repetitionPenalty: 1.5 }).sample(values, new Set([0]), none)).toBe(1);
    expect(new Sampler({ presencePenalty: 0.5 }).sample(values, none, new Set([0]))).toBe(1);
    expect(new Sampler({ logitBias: new Map([[2, 10]]) }).sample(values, none, none)).toBe(2);
    expect(Array.from(values)).toEqual([2, Math.fround(1.9), -1]);
  });

  test('refuses options out of range by name, and numbers that are none', () => {
    for (const options of [
      { temperature: -1 },
      { topP: 2 },
      { minP: Number.NaN },
      { topK: -3 },
      { repetitionPenalty: 0 },
    ]) {
      const [name] = Object.keys(options);
      expect(() => new Sampler(options)).toThrow(new RegExp(`^${name} is`));
    }
    expect(() => new Sampler({ logitBias: new Map([[9, 1]]) }).sample(new Float32Array(3), none, none)).toThrow(
      LociError,
    );
    expect(() => new Sampler().sample(Float32Array.of(1, Number.NaN), none, none)).toThrow(/NaN for token 1/);
    expect(() => new Sampler().sample(Float32Array.of(Number.NEGATIVE_INFINITY), none, none)).toThrow(/every token/);
  });
});
