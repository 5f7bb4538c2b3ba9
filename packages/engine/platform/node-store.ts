import { createHash, randomUUID } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { lockFile } from './node-lock.ts';
import type { FileStore, GrowingFile } from './types.ts';

const readBytes = 1 << 20;

/** The file system of the machine. */
export const nodeStore: FileStore = {
  join,
  split: (path) => ({ directory: dirname(path), name: basename(path) }),
  stat: async (path) => {
    const found = await absentAs(undefined, stat(path));
    if (found?.isFile()) return { kind: 'file', bytes: found.size };
    return found?.isDirectory() ? { kind: 'directory', bytes: 0 } : undefined;
  },
  list: async (directory) => (await absentAs([], readdir(directory))).sort(),
  readText: (path) => absentAs(undefined, readFile(path, 'utf8')),
  writeText: async (path, text) => {
    await mkdir(dirname(path), { recursive: true });
    const unfinished = `${path}.${randomUUID()}.tmp`;
    try {
      await writeFile(unfinished, text);
      await rename(unfinished, path);
    } finally {
      await rm(unfinished, { force: true });
    }
  },
  openGrowing: async (path) => {
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(path, 'a+');
    return growing(handle, (await handle.stat()).size);
  },
  rename,
  remove: (path) => rm(path, { force: true }),
  hash: (algorithm) => {
    const hash = createHash(algorithm);
    return { update: (chunk) => void hash.update(chunk), hex: () => hash.digest('hex') };
  },
  lock: lockFile,
};

function growing(handle: FileHandle, initialSize: number): GrowingFile {
  let size = initialSize;
  return {
    get size() {
      return size;
    },
    async append(chunk) {
      // One write may take less than was given; the rest must follow, or the file has a hole.
      for (let done = 0; done < chunk.length; ) {
        const { bytesWritten } = await handle.write(chunk, done, chunk.length - done);
        done += bytesWritten;
        size += bytesWritten;
      }
    },
    async *chunks() {
      const buffer = new Uint8Array(Math.min(readBytes, size));
      for (let position = 0; position < size; ) {
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
        if (bytesRead === 0) return;
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    },
    async empty() {
      await handle.truncate(0);
      size = 0;
    },
    sync: () => handle.sync(),
    close: () => handle.close(),
  };
}

/** `ENOTDIR` is absence too: a part of the path is a file. */
async function absentAs<T, A>(absent: A, result: Promise<T>): Promise<T | A> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return absent;
    throw error;
  }
}
