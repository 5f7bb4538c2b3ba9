import { randomUUID } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LociError } from '../errors.ts';
import type { ScratchFile } from './types.ts';

/** A file among the system's temporary ones. Where an open file may be deleted it is at once, so that nothing outlives a crash. */
export async function openScratch(): Promise<ScratchFile> {
  const path = join(tmpdir(), `loci-${randomUUID()}`);
  const handle = await open(path, 'wx+');
  const isGone = await rm(path).then(
    () => true,
    () => false,
  );
  return {
    async write(offset, bytes) {
      for (let done = 0; done < bytes.length; ) {
        done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
      }
    },
    async readInto(offset, target) {
      for (let done = 0; done < target.length; ) {
        const { bytesRead } = await handle.read(target, done, target.length - done, offset + done);
        if (bytesRead === 0) throw new LociError('bad-file', `${path}: byte ${offset + done} was never written`);
        done += bytesRead;
      }
    },
    async close() {
      await handle.close();
      if (!isGone) await rm(path, { force: true });
    },
  };
}
