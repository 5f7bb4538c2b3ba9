import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadModel, type Model, type OpenOptions, type WeightCodec } from 'loci';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { floatCases } from '../../engine/families/testing/tiny-cases.ts';
import { tinyModel } from '../../engine/families/testing/tiny-model.ts';
import { largestGap } from '../keeping/logits.ts';
import { qserve } from './codec.ts';
import { dequantize, quantizeProgressive } from './weights.ts';

const folder = mkdtempSync(join(tmpdir(), 'loci-qserve-'));
const path = join(folder, 'tiny.gguf');
const ids = Int32Array.from({ length: 75 }, (_, i) => 10 + ((i * 7) % 40));

/** The same weights as floats: the judge. */
const floats: WeightCodec = {
  ...{ name: 'floats', layout: 'f32' },
  encode: ({ values, rows, columns }) => Float32Array.from(dequantize(quantizeProgressive(values, rows, columns, 32))),
};

beforeAll(async () => {
  // Biases, and rows that are no multiple of 64.
  const one = floatCases.find(({ model }) => model.name === 'qwen2');
  if (!one) throw new Error('there is no such tiny model');
  writeFileSync(path, await tinyModel(one.model));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function withModel<T>(weights: WeightCodec, threads: number, work: (model: Model) => Promise<T>): Promise<T> {
  const model = await loadModel(path, { weights, threads });
  try {
    return await work(model);
  } finally {
    await model.close();
  }
}

/** Logits behind the first `first` tokens and the rest. */
async function logits(model: Model, first: number, options: OpenOptions): Promise<Float32Array> {
  const session = await model.open({ store: 'f32', ...options });
  try {
    await session.prefill({ ids: ids.subarray(0, first) });
    return (await session.prefill({ ids })).logits;
  } finally {
    session.close();
  }
}

test('progressive weights are multiplied as the floats that they stand for', async () => {
  const expected = await withModel(floats, 1, (model) => logits(model, 70, { precision: 'float32' }));
  await withModel(qserve.with({ group: 32 }), 2, async (model) => {
    expect(largestGap(await logits(model, 70, { precision: 'float32' }), expected)).toBeLessThan(1e-4);
    const rounded = await logits(model, 70, { precision: 'int8' });
    expect(largestGap(rounded, expected)).toBeLessThan(0.2 * Math.max(...expected.map(Math.abs)));
    expect(largestGap(rounded, expected)).toBeGreaterThan(0);
  });
});

test('threads and the rows that are read together change no bit', async () => {
  const one = await withModel(qserve.with({ group: 32 }), 1, (model) => logits(model, 74, { precision: 'int8' }));
  await withModel(qserve.with({ group: 32 }), 3, async (model) => {
    for (const first of [1, 40, 73]) expect(await logits(model, first, { precision: 'int8' })).toEqual(one);
  });
});

test('groups that do not divide rows are refused, and models with other groups are others', async () => {
  await expect(loadModel(path, { weights: qserve.with({ group: 64 }) })).rejects.toThrow('choose another group');
  const [a, b] = [32, 'row'] as const;
  const prints = [a, b].map((group) => withModel(qserve.with({ group }), 1, async ({ fingerprint }) => fingerprint));
  expect(new Set(await Promise.all(prints)).size).toBe(2);
});
