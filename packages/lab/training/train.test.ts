import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { countingParts, tinyConfig } from '../testing/tiny.ts';
import { readConfig, type TrainConfigInput } from './config.ts';
import { rateAt, type Schedule, schedules } from './schedule.ts';
import { type TrainOptions, type TrainResult, train } from './train.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'loci-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const run = (options: Partial<TrainOptions> = {}, config: TrainConfigInput = tinyConfig) =>
  train(readConfig(config), countingParts, { threads: 1, ...options });

const bits = ({ weights, test: { accuracy, loss } }: TrainResult) => ({
  accuracy,
  loss,
  weights: new Map(Array.from(weights, ([name, numbers]) => [name, [...new Uint32Array(numbers.slice().buffer)]])),
});

test('training learns, the same bits on one thread, two, three and eight', async () => {
  const first = await run();
  expect(first.test.accuracy).toBeGreaterThan(0.95);
  for (const threads of [2, 3, 8]) expect(bits(await run({ threads }))).toEqual(bits(first));
});

test('another seed gives another model', async () => {
  expect(bits(await run({}, { ...tinyConfig, seed: 1 })).weights).not.toEqual(bits(await run()).weights);
});

test('a batch in four parts has the gradient of the whole', async () => {
  const training = { ...tinyConfig.training, steps: 3 };
  const whole = await run({}, { ...tinyConfig, training });
  const parts = await run({}, { ...tinyConfig, training: { ...training, accumulate: 4 } });
  for (const [name, numbers] of whole.weights) {
    const other = parts.weights.get(name);
    const gap = numbers.reduce((most, x, i) => Math.max(most, Math.abs(x - (other?.[i] ?? Number.NaN))), 0);
    expect(gap, name).toBeLessThan(1e-4);
  }
});

test('a run that is stopped and resumed ends with the bits and the log of one that was not', async () => {
  const whole = await run({ folder: join(folder, 'whole') });
  const stopped = join(folder, 'stopped');
  for (const at of [9, 10, 33]) {
    const abort = new AbortController();
    const options = { folder: stopped, signal: abort.signal };
    await expect(run({ ...options, onProgress: ({ step }) => step === at && abort.abort() })).rejects.toMatchObject({
      code: 'aborted',
    });
  }
  const resumed = await run({ folder: stopped });
  expect(bits(resumed)).toEqual(bits(whole));
  expect(resumed.validation).toEqual(whole.validation);
  const log = (name: string) => readFileSync(join(folder, name, 'log.csv'), 'utf8');
  expect(log('stopped')).toBe(log('whole'));
  expect(log('whole').trim().split('\n')).toHaveLength(1 + tinyConfig.training.steps);
  // A run that has ended only scores again.
  expect(bits(await run({ folder: stopped }))).toEqual(bits(whole));
});

test('a run that is killed at any moment loses at most the steps since the last checkpoint', async () => {
  const killed = join(folder, 'killed');
  const whole = await run();
  for (const afterMs of [30, 60, 90]) {
    const child = spawn(process.execPath, [fileURLToPath(new URL('../testing/run.ts', import.meta.url)), killed]);
    const steps: number[] = [];
    await new Promise<void>((end) => {
      child.stdout.on('data', (piece: Buffer) => {
        if (steps.length === 0) setTimeout(() => child.kill('SIGKILL'), afterMs);
        steps.push(...String(piece).trim().split('\n').map(Number));
      });
      child.on('close', () => end());
    });
    const next: number[] = [];
    const abort = new AbortController();
    const options = {
      folder: killed,
      signal: abort.signal,
      onProgress: ({ step }: { step: number }) => next.push(step) && abort.abort(),
    };
    await run(options).catch(() => {});
    const last = steps.at(-1) ?? 0;
    const first = next[0] ?? tinyConfig.training.steps + 1;
    expect(last - (first - 1)).toBeLessThan(tinyConfig.saveEvery + 1);
  }
  expect(bits(await run({ folder: killed }))).toEqual(bits(whole));
}, 60_000);

test('a checkpoint that is damaged, cut or of another run is refused, and says what to do', async () => {
  const own = join(folder, 'damaged');
  await run({ folder: own });
  const path = join(own, 'checkpoint.safetensors');
  const sound = readFileSync(path);
  for (const at of [sound.length - 1, Math.floor(sound.length / 2), 8 + sound.readUInt32LE() + 1]) {
    const bad = Uint8Array.from(sound);
    bad[at] = (bad[at] ?? 0) ^ 1;
    writeFileSync(path, bad);
    await expect(run({ folder: own })).rejects.toMatchObject({ code: 'bad-file' });
  }
  writeFileSync(path, sound.toString('latin1').replace(/"step":"\d+"/, '"step":"14"'), 'latin1');
  await expect(run({ folder: own })).rejects.toThrow(/checkpoint/);
  writeFileSync(path, sound.subarray(0, -5));
  await expect(run({ folder: own })).rejects.toMatchObject({ code: 'bad-file' });
  writeFileSync(path, sound);
  const other = { ...tinyConfig, training: { ...tinyConfig.training, rate: 0.001 } };
  await expect(run({ folder: own }, other)).rejects.toThrow('belongs to another configuration');
});

test('a loss that is no number ends training at once', async () => {
  const training = { ...tinyConfig.training, rate: 1e30, clip: 0 };
  await expect(run({}, { ...tinyConfig, training })).rejects.toMatchObject({ code: 'bad-numbers' });
});

test('training ends early where the accuracy that was asked for is reached', async () => {
  const result = await run({}, { ...tinyConfig, evaluateEvery: 5, until: 0.9 });
  expect(result.steps).toBeLessThan(tinyConfig.training.steps);
  expect(result.validation.at(-1)?.accuracy).toBeGreaterThanOrEqual(0.9);
});

test('the rate rises in equal parts, and falls as its kind says', () => {
  const at = (step: number, kind: Schedule['kind']) =>
    rateAt(step, { steps: 110, rate: 2, warmUp: 10, kind, least: 0.1 });
  for (const kind of schedules) expect([0, 4, 9].map((step) => at(step, kind))).toEqual([0.2, 1, 2]);
  const steps = [10, 60, 90, 100, 110];
  expect(steps.map((step) => at(step, 'constant'))).toEqual([2, 2, 2, 2, 2]);
  for (const [i, rate] of [2, 2, 2, 1.1, 0.2].entries()) expect(at(steps[i] ?? 0, 'cooldown')).toBeCloseTo(rate, 12);
  for (const [i, rate] of [2, 1.1, 0.56, 0.38, 0.2].entries())
    expect(at(steps[i] ?? 0, 'linear')).toBeCloseTo(rate, 12);
  expect(at(60, 'cosine')).toBeCloseTo(1.1, 12);
  expect(at(110, 'cosine')).toBeCloseTo(0.2, 12);
});

test('a wrong configuration is refused by the name of what is wrong', () => {
  const wrong = (change: object) => () => readConfig({ ...tinyConfig, ...change });
  expect(wrong({ seed: -1 })).toThrow('wrong at seed');
  expect(wrong({ sed: 1 })).toThrow('Unrecognized key: "sed"');
  expect(wrong({ training: { ...tinyConfig.training, accumulate: 3 } })).toThrow('must divide training.batch');
});
