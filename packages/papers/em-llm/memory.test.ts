import { readFileSync } from 'node:fs';
import { loadModel, type Model, type OpenOptions, type Session } from 'loci';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseMethod } from '../registry.ts';

let model: Model;
let ids: Int32Array;
beforeAll(async () => {
  model = await loadModel();
  const book = readFileSync(new URL('../../../data/moby-dick.txt', import.meta.url), 'utf8').slice(40_000, 44_000);
  ids = model.tokenizer.encode(book, { special: 'text' }).slice(0, 700);
});
afterAll(() => model.close());

async function opened<T>(options: OpenOptions, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await model.open(options);
  try {
    return await work(session);
  } finally {
    session.close();
  }
}

const remember = (options: string) => ({ remember: parseMethod.remember(`em-llm:${options}`) });
const logits = (options: OpenOptions, of = ids) =>
  opened({ precision: 'float32', ...options }, async (session) => (await session.prefill({ ids: of })).logits);
const largestGap = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? Number.NaN))), 0);

describe('everything that left the window', () => {
  test('a text within the window is attended to densely', async () => {
    expect(largestGap(await logits(remember('local=700,chunk=512')), await logits({}))).toBeLessThan(1e-4);
  });
  test('is seen once, whatever chunks the text is read in', async () => {
    const all = 'local=128,init=4,mem=10000,max=32';
    const whole = await logits(remember(`${all},chunk=64`), ids.slice(0, 300));
    const alone = await logits(remember(`${all},chunk=1`), ids.slice(0, 300));
    expect(largestGap(whole, alone)).toBeLessThan(1e-4);
    const official = await logits(remember(`${all},chunk=64,official=yes`), ids.slice(0, 300));
    expect(largestGap(whole, official)).toBeGreaterThan(1e-2);
  });
});
