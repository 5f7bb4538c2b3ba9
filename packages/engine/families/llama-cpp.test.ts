/** Small random models of every family and format against log-probabilities recorded with llama.cpp (bench/oracles). */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
import { tinyModel } from './testing/tiny-model.ts';

interface Recorded {
  readonly name: string;
  readonly sha256: string;
  readonly rows: readonly (readonly number[])[];
}

const golden: { readonly cases: readonly Recorded[] } = JSON.parse(
  readFileSync(new URL('../golden/families.json', import.meta.url), 'utf8'),
);
const folder = mkdtempSync(join(tmpdir(), 'loci-families-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Root mean square and largest difference of the log-probabilities from the recorded ones. */
async function differences(one: TinyCase, precision: 'int8' | 'float32') {
  const recorded = golden.cases.find(({ name }) => name === one.model.name);
  const bytes = await tinyModel(one.model);
  expect(createHash('sha256').update(bytes).digest('hex'), 'the file that was judged').toBe(recorded?.sha256);
  const path = join(folder, 'model.gguf');
  writeFileSync(path, bytes);
  const model = await loadModel(path, { precision, threads: 2 });
  try {
    const session = await model.open({ precision, store: 'f32' });
    const ids = promptOf(one);
    const all: number[] = [];
    for (const [row, position] of judgedPositions(one).entries()) {
      const { logits } = await session.prefill({ ids: ids.slice(0, position + 1) });
      const wanted = recorded?.rows[row] ?? [];
      all.push(...judgedOf(logits).map((value, i) => Math.abs(value - (wanted[i] ?? Number.NaN))));
    }
    return { rms: Math.sqrt(all.reduce((sum, x) => sum + x * x, 0) / all.length), largest: Math.max(...all) };
  } finally {
    await model.close();
  }
}

const byName = (cases: readonly TinyCase[]) => cases.map((one) => ({ name: one.model.name, one }));

describe('matrices in float32: the arithmetic is the same', () => {
  test.each(byName(floatCases))('$name', async ({ one }) => {
    // llama.cpp takes GELU from a table of half-precision numbers.
    const tolerance = one.model.family === 'gemma3' ? 5e-3 : 1e-4;
    expect((await differences(one, 'float32')).largest).toBeLessThan(tolerance);
  });
});

// A wrong scale or order of elements in one matrix costs 0.3 and more; what is left is mostly llama.cpp's own rounding of
// activations to 8 bits (to half precision where the matrices are).
describe('other formats: the same but for rounding', () => {
  test.each(byName(quantisedCases))('$name', async ({ one }) => {
    const tolerance = one.model.type === 'F16' || one.model.type === 'BF16' ? 0.015 : 0.08;
    expect((await differences(one, 'float32')).rms).toBeLessThan(tolerance);
    expect((await differences(one, 'int8')).rms).toBeLessThan(0.08);
  });
});
