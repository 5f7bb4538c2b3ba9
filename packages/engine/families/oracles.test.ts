/**
 * Small random models of every family, format and rotation against log-probabilities that other programs computed for the
 * same files (bench/oracles): llama.cpp for GGUF, transformers for config.json and safetensors.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadModel } from '../index.ts';
import {
  floatCases,
  judgedOf,
  judgedPositions,
  promptOf,
  quantisedCases,
  type TinyCase,
} from './testing/tiny-cases.ts';
import { configCases, tinyDirectory } from './testing/tiny-directory.ts';
import { tinyModel } from './testing/tiny-model.ts';

interface Recorded {
  readonly name: string;
  /** Of the file that holds the weights. */
  readonly sha256: string;
  readonly rows: readonly (readonly number[])[];
}

function recorded(file: string, { model }: TinyCase): Recorded {
  const { cases }: { readonly cases: readonly Recorded[] } = JSON.parse(
    readFileSync(new URL(`../golden/${file}.json`, import.meta.url), 'utf8'),
  );
  const found = cases.find(({ name }) => name === model.name);
  if (!found) throw new Error(`${file}.json has no "${model.name}"`);
  return found;
}

const folder = mkdtempSync(join(tmpdir(), 'loci-families-'));
afterAll(() => rmSync(folder, { recursive: true }));

const sha256 = (content: Uint8Array | string) => createHash('sha256').update(content).digest('hex');

/** Root mean square and largest difference of the log-probabilities from the recorded ones. */
async function differences(path: string, one: TinyCase, rows: Recorded['rows'], precision: 'int8' | 'float32') {
  const model = await loadModel(path, { precision, threads: 2 });
  try {
    const session = await model.open({ precision, store: 'f32' });
    const ids = promptOf(one);
    const all: number[] = [];
    for (const [row, position] of judgedPositions(one).entries()) {
      // The second prompt begins with the first, so this goes on from a cache.
      const { logits } = await session.prefill({ ids: ids.slice(0, position + 1) });
      all.push(...judgedOf(logits).map((value, i) => Math.abs(value - (rows[row]?.[i] ?? Number.NaN))));
    }
    return { rms: Math.sqrt(all.reduce((sum, x) => sum + x * x, 0) / all.length), largest: Math.max(...all) };
  } finally {
    await model.close();
  }
}

async function ggufDifferences(one: TinyCase, precision: 'int8' | 'float32') {
  const wanted = recorded('families', one);
  const bytes = await tinyModel(one.model);
  expect(sha256(bytes), 'the file that was judged').toBe(wanted.sha256);
  const path = join(folder, 'model.gguf');
  writeFileSync(path, bytes);
  return differences(path, one, wanted.rows, precision);
}

const byName = <T extends TinyCase>(cases: readonly T[]) => cases.map((one) => ({ name: one.model.name, one }));

describe('GGUF with matrices in float32: the arithmetic is that of llama.cpp', () => {
  test.each(byName(floatCases))('$name', async ({ one }) => {
    // llama.cpp takes GELU from a table of half-precision numbers.
    const tolerance = one.model.family === 'gemma3' ? 5e-3 : 1e-4;
    expect((await ggufDifferences(one, 'float32')).largest).toBeLessThan(tolerance);
  });
});

// A wrong scale or order of elements in one matrix costs 0.3 and more; what is left is mostly llama.cpp's own rounding of
// activations to 8 bits (to half precision where the matrices are).
describe('GGUF in other formats: the same but for rounding', () => {
  test.each(byName(quantisedCases))('$name', async ({ one }) => {
    const tolerance = one.model.type === 'F16' || one.model.type === 'BF16' ? 0.015 : 0.08;
    expect((await ggufDifferences(one, 'float32')).rms).toBeLessThan(tolerance);
    expect((await ggufDifferences(one, 'int8')).rms).toBeLessThan(0.08);
  });
});

describe('config.json and safetensors: the arithmetic is that of transformers', () => {
  test.each(byName(configCases))('$name', async ({ one }) => {
    const wanted = recorded('config-families', one);
    const place = join(folder, one.model.name);
    mkdirSync(place);
    for (const [name, content] of await tinyDirectory(one)) {
      writeFileSync(join(place, name), content);
      if (name === 'model.safetensors') expect(sha256(content), 'the file that was judged').toBe(wanted.sha256);
    }
    expect((await differences(place, one, wanted.rows, 'float32')).largest).toBeLessThan(1e-4);
  });
});
