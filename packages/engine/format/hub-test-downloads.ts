import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { nodeStore } from '../platform/node-store.ts';
import { type DownloadOptions, downloadFile } from './hub-download.ts';
import { type Answer, startServer, type TestServer } from './hub-test-server.ts';

/** Patience of the tests. */
export const quick = { retries: 5, backoffMs: 1, stallMs: 2_000 };
export const content = pseudoRandom(50_000, 1);
export const other = pseudoRandom(50_000, 2);
export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
export const known = { size: content.length, sha256: sha256(content) };

/** An empty directory for each test of the file, and servers that end with it. */
export function useDownloads() {
  let directory = '';
  const servers: TestServer[] = [];
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'loci-download-'));
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
    await rm(directory, { recursive: true, force: true });
  });
  const at = (name: string) => join(directory, name);
  return {
    at,
    async start(answer: Answer): Promise<TestServer> {
      const server = await startServer(answer);
      servers.push(server);
      return server;
    },
    /** Downloads the server's file to `file.bin`. */
    download(server: TestServer, options: Partial<DownloadOptions> = {}) {
      const url = `${server.url}/file.bin`;
      return downloadFile({ store: nodeStore, url, destination: at('file.bin'), ...quick, ...options });
    },
    result: () => readFile(at('file.bin')),
    /** Cuts the connection when so many bytes have arrived on disk. */
    drop: (dropAfter: number) => ({ dropAfter, partial: at('file.bin.partial') }),
  };
}

export function pseudoRandom(length: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}
