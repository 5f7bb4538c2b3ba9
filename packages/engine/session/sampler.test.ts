import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { LociError } from '../errors.ts';
import { Sampler } from './sampler.ts';

const vocabulary = 10;

describe('a sampler', () => {
  property.prop([fc.integer(), fc.double({ min: 0.1, max: 3, noNaN: true })])(
    'gives the same choices for the same seed, and others for another',
    (seed, temperature) => {
      const draws = (from: number) => {
        const sampler = new Sampler({ temperature, seed: from }, vocabulary);
        return Array.from({ length: 8 }, () => sampler.choice());
      };
      expect(draws(seed)).toEqual(draws(seed));
      expect(draws(seed)).not.toEqual(draws(seed + 1));
    },
  );

  test('draws otherwise on either side of 0 and of 2³²', () => {
    const first = (seed: number) => new Sampler({ temperature: 1, seed }, vocabulary).choice().draw;
    expect(new Set([-1, 0, 2 ** 32 - 1, 2 ** 32].map(first)).size).toBe(4);
  });

  test('draws evenly', () => {
    const sampler = new Sampler({ temperature: 1, seed: 7 }, vocabulary);
    const counts = new Array<number>(16).fill(0);
    for (let i = 0; i < 16_000; i++) counts[sampler.choice().draw >>> 28]!++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  test('lowers what was seen, once what was generated, and adds biases', () => {
    const bias = new Map([
      [2, 10],
      [3, -1],
    ]);
    const sampler = new Sampler({ repetitionPenalty: 1.5, presencePenalty: 0.5, logitBias: bias }, vocabulary);
    expect(sampler.choice().adjustments).toEqual([
      { id: 2, penalty: 1, shift: 10 },
      { id: 3, penalty: 1, shift: -1 },
    ]);
    // −1 is a row that was given as an embedding.
    sampler.begin([-1, 0, 2, 0]);
    for (const id of [2, 4, 2]) sampler.add(id);
    const byId = (a: { id: number }, b: { id: number }) => a.id - b.id;
    expect([...sampler.choice().adjustments].sort(byId)).toEqual([
      { id: 0, penalty: 1.5, shift: 0 },
      { id: 2, penalty: 1.5, shift: 9.5 },
      { id: 3, penalty: 1, shift: -1 },
      { id: 4, penalty: 1.5, shift: -0.5 },
    ]);
    const neutral = new Sampler({}, vocabulary);
    neutral.begin([1, 2]);
    neutral.add(3);
    expect(neutral.choice().adjustments).toEqual([]);
  });

  test('refuses options out of range by name', () => {
    for (const options of [
      { temperature: -1 },
      { topP: 2 },
      { minP: Number.NaN },
      { topK: -3 },
      { repetitionPenalty: 0 },
    ]) {
      const [name] = Object.keys(options);
      expect(() => new Sampler(options, vocabulary)).toThrow(new RegExp(`^${name} is`));
    }
    for (const id of [-1, 10, 0.5]) {
      const refused = () => new Sampler({ logitBias: new Map([[id, 1]]) }, vocabulary);
      expect(refused).toThrow(LociError);
      expect(refused).toThrow(new RegExp(`token ${id};`));
    }
  });
});
