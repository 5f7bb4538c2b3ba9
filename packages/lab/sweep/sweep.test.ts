import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { countingParts, tinyConfig } from '../testing/tiny.ts';
import { readSweep } from './grid.ts';
import { svgPlot, terminalPlot } from './plot.ts';
import { SqliteQueue } from './sqlite-queue.ts';
import { sweep } from './sweep.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'loci-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const schemas = { work: z.string(), result: z.number() };

test('a job belongs to one at a time, for as long as its lease is renewed', async () => {
  let now = 1000;
  const open = () => new SqliteQueue(join(folder, 'leases.sqlite'), schemas, () => now);
  const [a, b] = [open(), open()];
  await a.add([
    { id: 'x', work: 'first' },
    { id: 'y', work: 'second' },
  ]);
  await b.add([{ id: 'x', work: 'not again' }]);
  expect(await a.take('a', 100)).toEqual({ id: 'x', work: 'first' });
  expect(await b.take('b', 100)).toEqual({ id: 'y', work: 'second' });
  expect(await b.take('b', 100)).toBeUndefined();
  now += 80;
  expect(await a.renew('x', 'a', 100)).toBe(true);
  now += 40;
  // The lease of the second is over, that of the first is not.
  expect(await a.take('c', 100)).toEqual({ id: 'y', work: 'second' });
  expect(await a.take('c', 100)).toBeUndefined();
  expect(await b.renew('y', 'b', 100)).toBe(false);
  expect(await b.finish('y', 'b', { result: 1 })).toBe(false);
  expect(await a.finish('y', 'c', { result: 2 })).toBe(true);
  await a.release('x', 'a');
  expect(await b.take('b', 100)).toEqual({ id: 'x', work: 'first' });
  expect(await b.finish('x', 'b', { error: 'no luck' })).toBe(true);
  expect(await a.list()).toEqual([
    { id: 'x', work: 'first', state: 'failed', error: 'no luck' },
    { id: 'y', work: 'second', state: 'done', result: 2 },
  ]);
  a.close();
  b.close();
});

test('a file that is something else is refused', () => {
  const path = join(folder, 'other.sqlite');
  writeFileSync(path, 'not a database at all, but long enough to be looked at by one who would like one'.repeat(20));
  expect(() => new SqliteQueue(path, schemas)).toThrow('cannot be used as a queue');
  expect(readFileSync(path, 'utf8')).toContain('not a database');
});

test('a grid has all combinations, each under an id of its own', () => {
  const jobs = readSweep({
    base: tinyConfig,
    grid: { 'model.layers.0': ['a', 'b'], 'training.rate': [0.1, 0.2, 0.3] },
  });
  expect(jobs.map(({ work: { config } }) => [config.model.layers[0], config.training.rate].join())).toEqual([
    ...['a,0.1', 'a,0.2', 'a,0.3', 'b,0.1', 'b,0.2', 'b,0.3'],
  ]);
  expect(new Set(jobs.map(({ id }) => id)).size).toBe(6);
  expect(() => readSweep({ base: tinyConfig, grid: { 'model.layers.3': ['a'] } })).toThrow(
    '3 is no place in a list of 1',
  );
  expect(() => readSweep({ base: tinyConfig, grid: { 'training.rat': [1] } })).toThrow('wrong at training');
});

test('processes share a sweep, one that is killed is replaced, and the results are those of one process', async () => {
  const jobs = readSweep({ base: tinyConfig, grid: { seed: [0, 1, 2] } });
  const results = (reports: Awaited<ReturnType<typeof sweep>>) =>
    reports.map(({ id, state, result }) => ({ id, state, accuracy: result?.accuracy, loss: result?.loss }));
  const alone = await sweep(jobs, countingParts, { threads: 1, folder: join(folder, 'alone') });
  expect(results(alone).every(({ state }) => state === 'done')).toBe(true);
  const shared = join(folder, 'shared');
  const script = fileURLToPath(new URL('../testing/sweep-run.ts', import.meta.url));
  const [killed, other] = [1, 2].map(() => spawn(process.execPath, [script, shared, '1000']));
  if (!killed || !other) throw new Error('no process');
  let lastOfKilled = '';
  killed.stdout.on('data', (piece: Buffer) => {
    lastOfKilled = String(piece).trim().split('\n').at(-1) ?? '';
    if (Number(lastOfKilled.split(' ')[1]) >= 20) killed.kill('SIGKILL');
  });
  let seen = '';
  other.stdout.on('data', (piece: Buffer) => {
    seen += piece;
  });
  const code = await new Promise((end) => other.on('close', end));
  expect(code).toBe(0);
  // The other one went on with the run of the killed one, and not from its beginning.
  const [id = '', step = ''] = lastOfKilled.split(' ');
  const own = seen.split('\n').filter((line) => line.startsWith(id));
  expect(Number(own[0]?.split(' ')[1])).toBeGreaterThan(Number(step) - tinyConfig.saveEvery - 20);
  expect(results(await sweep(jobs, countingParts, { threads: 1, folder: shared }))).toEqual(results(alone));
}, 60_000);

test('a run that fails is a result, and does not stop the others', async () => {
  const training = { ...tinyConfig.training, steps: 4, clip: 0 };
  const jobs = readSweep({ base: { ...tinyConfig, training }, grid: { 'training.rate': [1e30, 0.01] } });
  const reports = await sweep(jobs, countingParts, { threads: 1, folder: join(folder, 'fails') });
  expect(reports.map(({ state }) => state)).toEqual(['failed', 'done']);
  expect(reports[0]?.error).toContain('the loss of step');
});

test('a plot shows every series by its mean at every place', () => {
  const points = [
    { series: 'a<b', x: 10, y: 0 },
    { series: 'a<b', x: 1000, y: 1 },
    { series: 'c', x: 100, y: 0.4 },
    { series: 'c', x: 100, y: 0.6 },
  ];
  const lines = terminalPlot(points, 'bytes', 21, 5).split('\n');
  expect(lines).toEqual([
    ' 1.0 │                    ●',
    '     │',
    ' 0.5 │          ■',
    '     │',
    ' 0.0 │●',
    `     └${'─'.repeat(21)}`,
    '      10     bytes     1000',
    '      ● a<b',
    '      ■ c',
    '',
  ]);
  const svg = svgPlot(points, 'bytes', 'accuracy');
  expect(svg.match(/<circle/g)).toHaveLength(5);
  expect(svg).toContain('a&lt;b');
});
