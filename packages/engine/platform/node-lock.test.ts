import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockFile } from './node-lock.ts';

const quick = { pollMs: 5, beatMs: 20, staleMs: 150 };
let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'loci-lock-'));
  path = join(directory, 'deep', 'file.lock');
});

afterEach(() => rm(directory, { recursive: true, force: true }));

test('of many that want the lock one holds it at a time', async () => {
  let inside = 0;
  let most = 0;
  const work = async () => {
    const lock = await lockFile(path, {}, quick);
    most = Math.max(most, ++inside);
    await sleep(5);
    inside--;
    await lock.release();
  };
  await Promise.all(Array.from({ length: 8 }, work));
  expect(most).toBe(1);
  expect(await readdir(join(directory, 'deep'))).toEqual([]);
});

test('a holder that lives longer than the stale time keeps the lock', async () => {
  const held = await lockFile(path, {}, quick);
  let taken = false;
  const second = lockFile(path, {}, quick).then((lock) => {
    taken = true;
    return lock;
  });
  await sleep(3 * quick.staleMs);
  expect(taken).toBe(false);
  expect(held.lost.aborted).toBe(false);
  await held.release();
  await (await second).release();
});

test.each([
  ['a dead process of another machine', JSON.stringify({ pid: 1, host: 'elsewhere', token: 'x' })],
  ['a process killed while it wrote its name', '{"pi'],
])('the lock of %s is taken over when it stays untouched', async (_, text) => {
  await (await lockFile(path, {}, quick)).release();
  await writeFile(path, text);
  await utimes(path, 1, 1);
  const before = performance.now();
  const lock = await lockFile(path, {}, quick);
  expect(performance.now() - before).toBeGreaterThan(quick.staleMs * 0.9);
  await lock.release();
});

test('a holder whose lock was taken away is told', async () => {
  const lock = await lockFile(path, {}, quick);
  await writeFile(path, 'another');
  await sleep(10 * quick.beatMs);
  expect(lock.lost.reason).toMatchObject({ code: 'download-failed' });
  await lock.release();
  expect(existsSync(path), "the other one's lock stays").toBe(true);
});

test('an abort ends the waiting, and the lock stays with its holder', async () => {
  const held = await lockFile(path, {}, quick);
  const waiting = lockFile(path, { signal: AbortSignal.timeout(30) }, quick);
  await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
  expect(existsSync(path)).toBe(true);
  await held.release();
});
