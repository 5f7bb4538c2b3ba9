import { mkdtempDisposableSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadModel, type Model } from 'loci';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ResultStore } from '../results/index.ts';
import type { Claim, Paper, Workbench } from './claim.ts';
import { reproductionMarkdown } from './markdown.ts';
import { type ReproduceOptions, reproduce } from './run.ts';

let model: Model;
beforeAll(async () => {
  model = await loadModel();
});
afterAll(() => model.close());

const folder = mkdtempDisposableSync(join(tmpdir(), 'loci-reproduce-'));
afterAll(() => folder.remove());
const path = join(folder.path, 'results.sqlite');

function paper(claims: readonly Claim[]): Paper {
  return {
    slug: 'some-paper',
    title: 'Some Paper',
    authors: 'A. Author',
    year: 2024,
    url: 'https://example.org',
    claims,
  };
}

async function run(claims: readonly Claim[], options: Partial<ReproduceOptions> = {}) {
  using store = new ResultStore(path);
  const controller = new AbortController();
  const plain = { scale: 'quick', machine: null, signal: controller.signal, onProgress: () => {} } as const;
  return await reproduce(paper(claims), model, { ...plain, store, ...options });
}

const claim = (id: string, work: Claim['run']): Claim => ({ id, claimed: `what ${id} says`, run: work });

test('every claim is judged, and one that fails is one that does not hold', async () => {
  const { claims } = await run([
    claim('1', async () => ({ measured: { gap: 0.25 }, holds: true })),
    claim('2', async () => {
      throw new Error('no room');
    }),
    claim('3b', async () => ({ measured: 3, holds: false, note: 'too few' })),
  ]);
  expect(claims.map(({ id, holds, note }) => ({ id, holds, note }))).toEqual([
    { id: '1', holds: true, note: undefined },
    { id: '2', holds: false, note: 'failed: no room' },
    { id: '3', holds: false, note: 'too few' },
  ]);
});

test('single items can be asked for, with their parts', async () => {
  const judged: string[] = [];
  const all = ['1', '2a', '2b'].map((id) => claim(id, async () => ({ measured: null, holds: true })));
  await run(all, { only: ['2'], onJudged: ({ id }) => judged.push(id) });
  expect(judged).toEqual(['2a', '2b']);
});

test('what was measured before a run was stopped is not measured again', async () => {
  let measured = 0;
  const controller = new AbortController();
  const piece = async () => {
    measured++;
    return [1, 2];
  };
  const stopped = claim('1', async (bench) => {
    await bench.once('piece', piece);
    controller.abort();
    throw new Error('stopped');
  });
  await expect(run([stopped], { signal: controller.signal })).rejects.toThrow('stopped');
  const again = claim('1', async (bench) => ({ measured: await bench.once('piece', piece), holds: true }));
  expect((await run([again])).claims[0]?.measured).toEqual([1, 2]);
  expect(measured).toBe(1);
  await run([again], { scale: 'full' });
  expect(measured).toBe(2);
});

test('a run stops where a claim says how far it is, begins with a piece, or ends', async () => {
  const controller = new AbortController();
  const stopped = run(
    [
      claim('1', async (bench) => {
        controller.abort();
        bench.progress('goes on');
        return { measured: 1, holds: true };
      }),
    ],
    { signal: controller.signal },
  );
  await expect(stopped).rejects.toMatchObject({ code: 'aborted' });
  const reached: string[] = [];
  for (const work of [
    async (bench: Workbench) => void (await bench.once('never', async () => reached.push('piece'))),
    async () => {},
  ]) {
    const late = new AbortController();
    const first = claim('1', async (bench) => {
      late.abort();
      await work(bench);
      return { measured: 1, holds: true };
    });
    const second = claim('2', async () => ({ measured: reached.push('claim'), holds: true }));
    await expect(run([first, second], { signal: late.signal })).rejects.toMatchObject({ code: 'aborted' });
  }
  expect(reached).toEqual([]);
});

test('parts of an item are one claim, which holds when all of them do', async () => {
  const part = (id: string, holds: boolean) => claim(id, async () => ({ measured: 1, holds }));
  const { claims } = await run([part('1a', true), part('1b', true), part('2a', true), part('2b', false)]);
  expect(claims.map(({ id, holds }) => [id, holds])).toEqual([
    ['1', true],
    ['2', false],
  ]);
  expect(claims[1]?.measured).toEqual({ '2a holds': 1, '2b does not hold': 1 });
});

test('a page says what holds and what does not', () => {
  const page = reproductionMarkdown({
    ...{ paper: 'some-paper', title: 'Some Paper', model: 'm', machine: null, scale: 'quick', date: '2026-01-01' },
    claims: [
      { id: '1', claimed: 'a | b', measured: { gap: 0.12345, all: [1, 2] }, holds: true, ms: 1 },
      { id: '2', claimed: 'c', measured: null, holds: false, note: 'why', ms: 1 },
    ],
  });
  expect(page).toContain('1 of 2 hold');
  expect(page).toContain('| 1 | a \\| b | gap: 0.123; all: 1, 2 | yes |  |');
  expect(page).toContain('| 2 | c | – | **no** | why |');
});

test('the pages in docs/results are those of their data', () => {
  const folder = new URL('../../../docs/results/', import.meta.url);
  const pages = readdirSync(folder).filter((file) => file.endsWith('.md'));
  for (const file of pages) {
    const data = JSON.parse(readFileSync(new URL(file.replace('.md', '.json'), folder), 'utf8'));
    expect(readFileSync(new URL(file, folder), 'utf8'), file).toBe(reproductionMarkdown(data));
  }
});
