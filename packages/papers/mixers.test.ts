import { Random } from '@loci/evaluate/random';
import { initialNumbers, type MixContext, type Mixer } from '@loci/lab';
import * as f from '@loci/lab/arrays';
import { evaluate, gradients, type Numbers } from '@loci/lab/arrays';
import { describe, expect, test } from 'vitest';
import { mixers, trainingParts } from './mixers.ts';
import { attention } from './zoology/mix.ts';

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
  'selective:by=gate,least=0.5',
  'taylor:features=3',
  'taylor:features=2,heads=2,chunk=4',
  'lightning',
  'lightning:heads=2,chunk=4',
  'delta',
  'delta:heads=2,chunk=4',
  'power-attention:heads=2,block=2,window=1,sinks=0',
  's2-attention:heads=2,block=2,local=1,stride=2',
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

test.each([
  ['power-attention:block=2,window=6', 'power-attention:block=1,links=window,window=11'],
  ['s2-attention:block=2,local=6', 's2-attention:stride=1'],
])('%s and %s read everything', (...all) => {
  const [one, other] = all.map((spec) => {
    const { y, numbers } = opened(trainingParts.mixer(spec));
    return evaluate([y], { ...numbers, ...opened(attention.with()).numbers })[0];
  });
  expect(one).toEqual(other);
});

test('what a mask hides has no derivative, and what it shows has one', () => {
  // Blocks of 2; the last token, of block 5, reads blocks 1, 3, 4 and 5 (distances 4, 2, 1, 0).
  const { x, y, numbers } = opened(trainingParts.mixer('power-attention:block=2,window=1,sinks=0'));
  const last = f.sumAll(f.slice(y, 1, 10, 11));
  const [gradient = []] = evaluate(gradients(last, [x]), numbers);
  const moved = Array.from({ length: 11 }, (_, t) => [...gradient.slice(8 * t, 8 * t + 8)].some((one) => one !== 0));
  expect(moved).toEqual([false, false, true, true, false, false, true, true, true, true, true]);
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
