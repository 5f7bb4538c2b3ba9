import { readFileSync } from 'node:fs';
import { type Attend, loadModel, type Model, type OpenOptions } from 'loci';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseMethod } from '../registry.ts';
import { attendPattern, type Pattern } from './pattern.ts';

let model: Model;
let ids: Int32Array;
beforeAll(async () => {
  model = await loadModel();
  const book = readFileSync(new URL('../../../data/moby-dick.txt', import.meta.url), 'utf8').slice(40_000, 44_000);
  ids = model.tokenizer.encode(book, { special: 'text' }).slice(0, 260);
});
afterAll(() => model.close());

const near = { axis: 'attend', name: 'near', spec: 'near' } as const;
const pattern = (one: Pattern): Attend => attendPattern(near, one);
const window: Attend = { ...near, needs: { decides: ['sight'] }, sight: () => ({ sinks: 4, window: 60 }) };
const windowPattern = { block: 1, reads: (query: number, key: number) => query - key < 60 || key < 4 };

async function losses(options: OpenOptions) {
  const session = await model.open({ precision: 'float32', ...options });
  try {
    const [nll = new Float64Array()] = await session.scoreContinuations({ ids: ids.slice(0, 220) }, [ids.slice(220)]);
    return { nll, reads: session.reads, kvBytes: session.kvBytes };
  } finally {
    session.close();
  }
}

function expectSameLosses(a: ArrayLike<number>, b: ArrayLike<number>): void {
  expect(Math.max(...Array.from(a, (loss, i) => Math.abs(loss - (b[i] ?? 0))))).toBeLessThan(1e-3);
}

describe('a pattern', () => {
  test.each([1, 64])('that reads everything is dense attention, in blocks of %i', async (block) => {
    const all = await losses({ attend: pattern({ block, reads: () => true }) });
    const dense = await losses({});
    expectSameLosses(all.nll, dense.nll);
    if (block === 64) expect(all.reads.pairs).toBeGreaterThanOrEqual(dense.reads.pairs * 0.9);
  });

  test('of what is near is a window', async () => {
    const [patterned, windowed] = [await losses({ attend: pattern(windowPattern) }), await losses({ attend: window })];
    expectSameLosses(patterned.nll, windowed.nll);
  });

  test('goes by where the slots that were kept stand', async () => {
    const keep = parseMethod.keep('knorm:budget=25%')!;
    const patterned = await losses({ keep, attend: pattern(windowPattern) });
    const windowed = await losses({ keep, attend: window });
    expectSameLosses(patterned.nll, windowed.nll);
    expect(patterned.kvBytes).toBe(windowed.kvBytes);
  });

  test('reads what it names and no more', async () => {
    const { reads } = await losses({ attend: parseMethod.attend('power-attention:block=8,window=2') });
    const dense = await losses({});
    expect(reads.pairs).toBeLessThan(0.75 * dense.reads.pairs);
    expect(reads.choosing).toBe(0);
  });
});
