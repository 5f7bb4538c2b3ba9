import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, readlink, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LociError } from '../errors.ts';
import type { FileLock, LockOptions } from './types.ts';

/** Times of the lock's protocol, in milliseconds; only tests change them. */
export interface LockTimes {
  readonly pollMs: number;
  readonly beatMs: number;
  /** A lock without a heartbeat for this long belongs to nobody. */
  readonly staleMs: number;
}

const usualTimes: LockTimes = { pollMs: 200, beatMs: 4_000, staleMs: 20_000 };

interface Owner {
  readonly pid: number;
  readonly host: string;
  readonly token: string;
}

/**
 * Holds the file `path` as a lock between processes. It names its owner and is touched every few seconds: a lock
 * whose owner has died on this machine is taken over at once, any other after `staleMs` without a touch.
 */
export async function lockFile(path: string, options: LockOptions, times: LockTimes = usualTimes): Promise<FileLock> {
  const owner: Owner = { pid: process.pid, host: await machine(), token: randomUUID() };
  const mine = JSON.stringify(owner);
  await mkdir(dirname(path), { recursive: true });
  let last = '';
  let quietPolls = 0;
  while (!(await create(path, mine))) {
    const seen = await look(path);
    if (seen === undefined) continue;
    // Quiet polls are counted instead of time: after the machine slept, the owner has a chance to touch its lock.
    quietPolls = seen.mark === last ? quietPolls + 1 : 0;
    last = seen.mark;
    if (isDead(seen.text, owner.host) || quietPolls * times.pollMs > times.staleMs) {
      await breakLock(path, seen.text);
      continue;
    }
    await options.onWait?.();
    try {
      await sleep(times.pollMs, undefined, options.signal ? { signal: options.signal } : {});
    } catch (error) {
      throw new LociError('aborted', `stopped while waiting for another process that holds ${path}`, { cause: error });
    }
  }
  return hold(path, mine, times);
}

function hold(path: string, mine: string, times: LockTimes): FileLock {
  const lost = new AbortController();
  const beat = async () => {
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === mine) {
      const now = new Date();
      await utimes(path, now, now).catch(() => undefined);
    } else {
      clearInterval(timer);
      lost.abort(new LociError('download-failed', `${path} was taken over by another process; run the command again`));
    }
  };
  const timer = setInterval(beat, times.beatMs);
  timer.unref();
  return {
    lost: lost.signal,
    async release() {
      clearInterval(timer);
      const text = await readFile(path, 'utf8').catch(() => undefined);
      if (text === mine) await rm(path, { force: true });
    },
  };
}

async function create(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

async function look(path: string): Promise<{ text: string; mark: string } | undefined> {
  try {
    const text = await readFile(path, 'utf8');
    const { mtimeMs } = await stat(path);
    return { text, mark: `${text} ${mtimeMs}` };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Moves the abandoned lock aside, and back when it turns out that a new owner had just replaced it. */
async function breakLock(path: string, abandoned: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  if ((await readFile(aside, 'utf8')) !== abandoned) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

function isDead(text: string, host: string): boolean {
  let owner: unknown;
  try {
    owner = JSON.parse(text);
  } catch {
    return false;
  }
  if (typeof owner !== 'object' || owner === null || !('pid' in owner) || !('host' in owner)) return false;
  if (owner.host !== host || typeof owner.pid !== 'number' || owner.pid < 1) return false;
  try {
    process.kill(owner.pid, 0);
    return false;
  } catch (error) {
    return hasCode(error, 'ESRCH');
  }
}

/** Tells apart what process numbers are counted in: the machine, and on Linux the container. */
async function machine(): Promise<string> {
  const space = await readlink('/proc/self/ns/pid').catch(() => '');
  return `${hostname()} ${space}`.trim();
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
