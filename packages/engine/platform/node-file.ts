import { type FileHandle, open } from 'node:fs/promises';
import { LociError } from '../errors.ts';
import { checkRange } from '../format/memory-source.ts';
import type { ByteSource } from './types.ts';

/** The most that one read of the operating system is asked for. */
const readLimit = 2 ** 30;

/**
 * Opens a file for reading at any place.
 * @throws LociError `not-found` when there is none, `bad-file` when it cannot be read or is no regular file.
 */
export async function openFile(path: string): Promise<ByteSource> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') {
      throw new LociError('not-found', `${path}: there is no such file`, { cause: error });
    }
    throw unreadable(path, error);
  }
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw new LociError('bad-file', `${path}: is not a file`);
    return fileSource(handle, path, status.size);
  } catch (error) {
    await handle.close();
    throw error instanceof LociError ? error : unreadable(path, error);
  }
}

function fileSource(handle: FileHandle, name: string, size: number): ByteSource {
  const readInto = async (offset: number, target: Uint8Array) => {
    const length = target.byteLength;
    checkRange(name, size, offset, length);
    for (let done = 0; done < length; ) {
      const most = Math.min(readLimit, length - done);
      const { bytesRead } = await readSome(handle, name, target, done, most, offset + done);
      // The size was taken at opening; a file that ends earlier was cut while it was read.
      if (bytesRead === 0) throw new LociError('bad-file', `${name}: ends at byte ${offset + done}, expected ${size}`);
      done += bytesRead;
    }
  };
  return {
    name,
    size,
    async read(offset, length) {
      // Before there are as many bytes to read into.
      checkRange(name, size, offset, length);
      const out = new Uint8Array(length);
      await readInto(offset, out);
      return out;
    },
    readInto,
    close: () => handle.close(),
  };
}

async function readSome(handle: FileHandle, name: string, out: Uint8Array, at: number, length: number, from: number) {
  try {
    return await handle.read(out, at, length, from);
  } catch (error) {
    throw unreadable(name, error);
  }
}

function unreadable(path: string, error: unknown): LociError {
  const reason = error instanceof Error ? error.message : String(error);
  return new LociError('bad-file', `${path}: cannot be read (${reason})`, { cause: error });
}

function errorCode(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
