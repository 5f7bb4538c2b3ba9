import { mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadModel, type Model } from 'loci';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ResultStore } from '../results/index.ts';
import { needle } from '../tasks/index.ts';
import { compare } from './compare.ts';
import { rowCells, rowHead, rowsMarkdown } from './markdown.ts';

let model: Model;
beforeAll(async () => {
  model = await loadModel();
});
afterAll(() => model.close());

test('methods share their cases, modes stay apart, and a second run computes nothing', async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'loci-compare-'));
  using store = new ResultStore(join(folder.path, 'results.sqlite'));
  const caseOf = (number: number) => needle(model, { length: 200, haystack: 'noise' }, number);
  const first = caseOf(0);
  const contenders = [
    { name: 'dense', spec: 'dense all f16', methods: {} },
    { name: 'store=q4', spec: 'dense all q4', methods: { store: 'q4' } },
  ] as const;
  const modes = ['query-aware', 'query-agnostic'] as const;
  const done: number[] = [];
  const run = () =>
    compare(model, {
      ...{ cases: 2, caseOf },
      contenders,
      modes,
      store,
      onProgress: ({ done: count, total }) => done.push(count / total),
    });
  const rows = await run();
  expect(rows.map(({ method, mode, cases: count }) => [method, mode, count])).toEqual([
    ['dense', 'query-aware', 2],
    ['store=q4', 'query-aware', 2],
    ['dense', 'query-agnostic', 2],
    ['store=q4', 'query-agnostic', 2],
  ]);
  expect(done.at(-1)).toBe(1);
  const [dense, q4] = rows;
  expect(dense).toMatchObject({ recall: 1, exact: 1, gap: { value: 0, standardError: 0 } });
  expect(dense?.kvBytes).toBe(90 * 7 * (128 + 2 * 2 * 64 * 32));
  expect(q4?.kvBytes).toBeLessThan((dense?.kvBytes ?? 0) / 3);
  expect(dense?.keys).toBe(90 * (first.context.length + first.question.length));
  // Times would differ if anything were computed again.
  expect(await run()).toEqual(rows);
  expect(rowsMarkdown(rows).split('query-agnostic:')).toHaveLength(2);
  expect(rowCells(rows[0]!)).toHaveLength(rowHead.length);
});
