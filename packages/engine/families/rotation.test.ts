import { readFileSync } from 'node:fs';
import { expect, describe as group, test } from 'vitest';
import { describe } from './index.ts';
import { rotationOf, yarnAttention } from './rotation.ts';
import { configModel, ggufModel } from './testing/descriptions.ts';

interface Entry {
  readonly frequencies: readonly number[];
  readonly factor: number;
}

interface RopeGolden {
  readonly cases: readonly {
    readonly name: string;
    readonly config: Readonly<Record<string, unknown>>;
    readonly expected: { readonly full_attention: Entry; readonly sliding_attention?: Entry };
  }[];
}

const golden: RopeGolden = JSON.parse(readFileSync(new URL('../golden/rope.json', import.meta.url), 'utf8'));

/** transformers computes in float32. */
function close(found: Iterable<number>, wanted: Iterable<number>): void {
  const [a, b] = [[...found], [...wanted]];
  expect(a.length).toBe(b.length);
  for (const [i, value] of a.entries()) expect(Math.abs(value / (b[i] ?? Number.NaN) - 1)).toBeLessThan(2e-5);
}

group('config.json rotates as in transformers', () => {
  test.each(golden.cases)('$name', ({ config, expected }) => {
    const { layers } = describe(configModel(config));
    const first = layers[0];
    const last = layers[5];
    close(last?.frequencies ?? [], expected.full_attention.frequencies);
    expect(last?.rotationFactor).toBeCloseTo(expected.full_attention.factor, 6);
    const local = expected.sliding_attention ?? expected.full_attention;
    close(first?.frequencies ?? [], local.frequencies);
    expect(first?.rotationFactor).toBeCloseTo(local.factor, 6);
  });
});

const sizes = {
  block_count: 6,
  embedding_length: 256,
  'attention.head_count': 4,
  'attention.head_count_kv': 2,
  feed_forward_length: 256,
  context_length: 8192,
  'attention.layer_norm_rms_epsilon': 1e-5,
};

const rotationIn = (metadata: Record<string, string | number>, ropeFactors?: Float32Array) => {
  const model = ggufModel(
    'llama',
    { ...sizes, 'rope.freq_base': 500_000, ...metadata },
    ropeFactors && { ropeFactors },
  );
  const layer = describe(model).layers[0];
  return { frequencies: [...(layer?.frequencies ?? [])], factor: layer?.rotationFactor };
};

group('GGUF', () => {
  const plain = rotationIn({});

  test('the divisors that converters store for Llama 3 give the frequencies of config.json', () => {
    const scaling = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 2048 };
    const wanted = rotationOf(
      { theta: 500_000, scaling: { kind: 'llama3', factor: 8, low: 1, high: 4, original: 2048 } },
      64,
    );
    const divisors = Float32Array.from(plain.frequencies, (frequency, j) => frequency / (wanted.frequencies[j] ?? 0));
    expect(Math.max(...divisors)).toBeCloseTo(scaling.factor, 5);
    close(rotationIn({}, divisors).frequencies, wanted.frequencies);
  });

  test('a factor alone means linear scaling, under its older name too, and "none" means none', () => {
    const halved = plain.frequencies.map((frequency) => frequency / 2);
    expect(rotationIn({ 'rope.scaling.factor': 2 }).frequencies).toEqual(halved);
    expect(rotationIn({ 'rope.scale_linear': 2 }).frequencies).toEqual(halved);
    expect(rotationIn({ 'rope.scaling.type': 'linear', 'rope.scaling.factor': 2 }).frequencies).toEqual(halved);
    expect(rotationIn({ 'rope.scaling.type': 'linear' })).toEqual(plain);
    expect(rotationIn({ 'rope.scaling.type': 'none', 'rope.scaling.factor': 2 })).toEqual(plain);
  });

  test('the attention factor of YaRN: by default from the factor, "yarn_attn_factor" in its place, "attn_factor" on top', () => {
    const yarn = { 'rope.scaling.type': 'yarn', 'rope.scaling.factor': 4 };
    expect(rotationIn(yarn).factor).toBe(yarnAttention(4));
    expect(rotationIn({ ...yarn, 'rope.scaling.yarn_attn_factor': 0.5 }).factor).toBe(0.5);
    expect(rotationIn({ ...yarn, 'rope.scaling.attn_factor': 2 }).factor).toBe(2 * yarnAttention(4));
  });

  test('without an original context YaRN extends the context length', () => {
    const yarn = { 'rope.scaling.type': 'yarn', 'rope.scaling.factor': 4 };
    expect(rotationIn(yarn)).toEqual(rotationIn({ ...yarn, 'rope.scaling.original_context_length': 8192 }));
    expect(rotationIn(yarn)).not.toEqual(rotationIn({ ...yarn, 'rope.scaling.original_context_length': 1024 }));
  });

  test('divisors and scaling apply together', () => {
    const divisors = new Float32Array(32).fill(2);
    const both = rotationIn({ 'rope.scaling.factor': 4 }, divisors).frequencies;
    expect(both).toEqual(plain.frequencies.map((frequency) => frequency / 2 / 4));
  });
});

test('a factor of 1 leaves every scaling without effect', () => {
  const plain = rotationOf({ theta: 10_000, scaling: { kind: 'none' } }, 64);
  const original = 4096;
  expect(rotationOf({ theta: 10_000, scaling: { kind: 'linear', factor: 1 } }, 64)).toEqual(plain);
  for (const scaling of [
    { kind: 'llama3', factor: 1, low: 1, high: 4, original },
    { kind: 'yarn', factor: 1, original, fast: 32, slow: 1, attention: yarnAttention(1), wholePairs: true },
  ] as const) {
    const { frequencies, factor } = rotationOf({ theta: 10_000, scaling }, 64);
    close(frequencies, plain.frequencies);
    expect(factor).toBe(1);
  }
});
