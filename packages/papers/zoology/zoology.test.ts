import { Random } from '@loci/evaluate/random';
import { initialNumbers, type MixContext, type Mixer } from '@loci/lab';
import * as f from '@loci/lab/arrays';
import { evaluate, gradients, type Numbers } from '@loci/lab/arrays';
import { describe, expect, test } from 'vitest';
import { mixers, trainingParts } from '../mixers.ts';
import { attention } from './mix.ts';
import { type MqarOptions, mqar } from './mqar.ts';
import { largest, occurredBefore } from './selective.ts';
import { mqarTask } from './task.ts';

const settings: MqarOptions = { vocabulary: 64, length: 40, pairs: 5, power: 0.01, reassigned: 0, filler: 'zero' };

describe('multi-query associative recall', () => {
  test.each(['zero', 'random', 'other'] as const)('labels are what keys were given, with filler %s', (filler) => {
    for (let i = 0; i < 200; i++) {
      const { ids, positions, labels, slots } = mqar({ ...settings, filler, reassigned: i % 3 }, `${i}`);
      const given = new Map<number, number>();
      const end = 2 * (settings.pairs + (i % 3));
      for (let at = 0; at < end; at += 2) given.set(ids[at] ?? -1, ids[at + 1] ?? -1);
      expect(given.size).toBe(settings.pairs);
      expect([...given.keys()].every((key) => key >= 1 && key < 32)).toBe(true);
      expect([...given.values()].every((value) => value >= 32 && value < 64)).toBe(true);
      expect(new Set(slots).size).toBe(settings.pairs);
      expect([...labels]).toEqual(Array.from(positions, (at) => given.get(ids[at] ?? -1)));
      expect(Array.from(positions, (at) => ids[at]).toSorted()).toEqual([...given.keys()].toSorted());
      if (filler === 'zero') expect(ids.subarray(end).filter((id) => id !== 0)).toHaveLength(settings.pairs);
    }
  });

  test('a key that is assigned again has two values, and the second counts', () => {
    const { ids, positions, labels } = mqar({ ...settings, reassigned: 5 }, 'again');
    const first = new Map(Array.from({ length: 5 }, (_, k) => [ids[2 * k], ids[2 * k + 1]]));
    positions.forEach((at, i) => {
      expect(labels[i]).not.toBe(first.get(ids[at]));
    });
  });

  test('options that leave no room are refused', () => {
    const refused = (change: object) => () => mqarTask({ name: 'mqar', ...settings, ...change }, 0);
    expect(refused({ length: 41 })).toThrow('the length is 41; it must be even');
    expect(refused({ vocabulary: 40 })).toThrow('it must be above the length, 40');
    expect(refused({ pairs: 11 })).toThrow('11 pairs and their queries do not fit into 40 tokens; 44 do');
    expect(refused({ vocabulary: 41, pairs: 20, length: 40 })).toThrow('are too few for 20 pairs');
    expect(() => trainingParts.task({ name: 'mqar', power: 0 }, 0)).toThrow('task mqar is wrong at power');
    expect(() => trainingParts.task({ name: 'sort' }, 0)).toThrow('there is no task "sort"; there are mqar');
  });
});

const size = { width: 8, length: 11, layers: 2, layer: 1, vocabulary: 13 };
const ids = f.input('ids', [2, 11], 'int');
const context: MixContext = { ...size, ids };

/** A mixer over random numbers: its output and what it depends on. */
function opened(mixer: Mixer, n = 11) {
  const random = new Random(mixer.spec);
  const numbers: Record<string, ArrayLike<number>> = {
    x: Float64Array.from({ length: 2 * n * 8 }, () => 2 * random.real() - 1),
    ids: Int32Array.from({ length: 2 * n }, () => random.integer(0, 12)),
  };
  const x = f.parameter('x', [2, n, 8]);
  const parameters = Object.entries(mixer.parameters(size)).map(([name, spec]) => {
    numbers[name] = initialNumbers({ ...spec, initial: { deviation: 0.7 } }, name, 0);
    return [name, f.parameter(name, spec.shape)] as const;
  });
  const found = new Map(parameters);
  const y = mixer.mix(x, (name) => found.get(name) ?? f.constant([], [Number.NaN]), {
    ...context,
    ids: f.input('ids', [2, n], 'int'),
  });
  return { x, y, numbers, parameters };
}

const specs = [
  'attention',
  'attention:heads=2,window=3',
  'base-conv',
  'base-conv:taps=0,skip=no',
  'selective',
  'selective:by=gate',
];

test('every mixer is tested', () => {
  expect(mixers.map(({ name }) => name).filter((name) => !specs.some((spec) => spec.startsWith(name)))).toEqual([]);
});

describe.each(specs)('%s', (spec) => {
  const mixer = trainingParts.mixer(spec);

  test('no token sees later ones', () => {
    const { y, numbers } = opened(mixer);
    const changed: Numbers = {
      ...numbers,
      x: Float64Array.from(numbers['x'] ?? [], (value, i) => (Math.floor(i / 8) % 11 >= 6 ? value + 1 : value)),
      ids: Int32Array.from(numbers['ids'] ?? [], (value, i) => (i % 11 >= 6 ? 12 - value : value)),
    };
    const [before, after] = [evaluate([y], numbers)[0] ?? [], evaluate([y], changed)[0] ?? []];
    for (const [i, value] of [...before].entries()) {
      if (Math.floor(i / 8) % 11 < 6) expect(after[i]).toBe(value);
    }
    expect([...after]).not.toEqual([...before]);
  });

  test('its derivatives are what finite differences say', () => {
    const { x, y, numbers, parameters } = opened(mixer);
    const loss = f.sumAll(f.mul(y, y));
    const all = [['x', x] as const, ...parameters];
    const found = evaluate(
      gradients(
        loss,
        all.map(([, one]) => one),
      ),
      numbers,
    );
    for (const [p, [name]] of all.entries()) {
      const own = Float64Array.from(numbers[name] ?? []);
      for (let i = 0; i < own.length; i += Math.ceil(own.length / 7)) {
        const at = (shift: number) =>
          evaluate([loss], { ...numbers, [name]: own.with(i, (own[i] ?? 0) + shift) })[0]?.[0] ?? Number.NaN;
        const difference = (at(1e-5) - at(-1e-5)) / 2e-5;
        expect(Math.abs((found[p]?.[i] ?? Number.NaN) - difference)).toBeLessThan(1e-5 * (1 + Math.abs(difference)));
      }
    }
  });
});

test('a window of the whole sequence is no window, and one of 1 gives the value itself', () => {
  const values = (spec: string) => {
    const { y, numbers } = opened(trainingParts.mixer(spec));
    // The numbers of the unlimited one for all.
    return evaluate([y], { ...numbers, ...opened(attention.with()).numbers })[0];
  };
  expect(values('attention:window=11')).toEqual(values('attention'));
  const { x, y, numbers } = opened(trainingParts.mixer('attention:window=1'));
  const of = (name: string) => f.parameter(name, [8, 8]);
  const [is, should] = evaluate([y, f.matmul(f.matmul(x, of('value')), of('out'))], numbers);
  for (const [i, value] of [...(is ?? [])].entries()) expect(value).toBeCloseTo(should?.[i] ?? Number.NaN, 12);
});

test('rows are selected by what came before them, or by the size of their gate', () => {
  const [chosen] = evaluate([occurredBefore(context)], {
    ids: [3, 1, 3, 3, 0, 1, 2, 0, 4, 5, 12, ...Array(11).fill(7)],
  });
  expect([...(chosen ?? [])]).toEqual([0, 0, 1, 1, 0, 1, 0, 1, 0, 0, 0, 0, ...Array(10).fill(1)]);
  const gates = { g: [0.5, 0.9, 0.5, 0.1, 0.7] };
  const rows = (m: number) => [...(evaluate([largest(f.parameter('g', [1, 5, 1]), m)], gates)[0] ?? [])];
  expect([0, 1, 3, 4, 5].map(rows)).toEqual([
    [0, 0, 0, 0, 0],
    [0, 1, 0, 0, 0],
    [1, 1, 0, 0, 1],
    [1, 1, 1, 0, 1],
    [1, 1, 1, 1, 1],
  ]);
});
