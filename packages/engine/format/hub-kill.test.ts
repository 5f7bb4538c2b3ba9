import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { nodeStore } from '../platform/node-store.ts';
import { downloadFile } from './hub-download.ts';
import { serve, startServer } from './hub-test-server.ts';

const content = new Uint8Array(100_000).map((_, i) => (i * i) >>> 7);

/** Another process that runs `downloadFile` with these options. */
function startChild(options: Record<string, unknown>): ChildProcess {
  const module = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);
  const program = `
    import { downloadFile } from ${module('./hub-download.ts')};
    import { nodeStore } from ${module('../platform/node-store.ts')};
    await downloadFile({ store: nodeStore, ...${JSON.stringify(options)} });`;
  return spawn(process.execPath, ['--input-type=module-typescript', '-e', program], { stdio: 'inherit' });
}

test('after a process was killed the next one takes its lock over at once and fetches only the rest', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'loci-kill-'));
  const destination = join(directory, 'file.bin');
  const server = await startServer((request, response, n) => {
    if (n > 0) return serve(request, response, content);
    response.writeHead(200, { 'content-length': content.length });
    response.write(content.subarray(0, 60_000));
  });
  const sha256 = createHash('sha256').update(content).digest('hex');
  const options = { url: `${server.url}/file.bin`, destination, size: content.length, sha256 };
  try {
    const child = startChild(options);
    const exited = new Promise((resolve) => child.once('exit', resolve));
    while ((await stat(`${destination}.partial`).catch(() => undefined))?.size !== 60_000) await sleep(10);
    child.kill('SIGKILL');
    await exited;
    expect((await readdir(directory)).sort()).toEqual(
      ['file.bin.lock', 'file.bin.partial', 'file.bin.partial.json'].sort(),
    );

    const before = performance.now();
    const { receivedBytes } = await downloadFile({ store: nodeStore, ...options });
    expect(performance.now() - before).toBeLessThan(5_000);
    expect(receivedBytes).toBe(40_000);
    expect(server.requests[1]?.headers.range).toBe('bytes=60000-');
    expect(Buffer.compare(await readFile(destination), content)).toBe(0);
    expect(await readdir(directory)).toEqual(['file.bin']);
  } finally {
    await server.close();
    await rm(directory, { recursive: true, force: true });
  }
});

test('two processes that want the same file make one transfer', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'loci-two-'));
  const destination = join(directory, 'file.bin');
  const server = await startServer((request, response) => {
    setTimeout(() => serve(request, response, content), 300);
  });
  const options = { url: `${server.url}/file.bin`, destination, size: content.length };
  try {
    const children = [startChild(options), startChild(options)];
    const codes = await Promise.all(children.map((child) => new Promise((resolve) => child.once('exit', resolve))));
    expect(codes).toEqual([0, 0]);
    expect(server.requests.length).toBe(1);
    expect(Buffer.compare(await readFile(destination), content)).toBe(0);
  } finally {
    await server.close();
    await rm(directory, { recursive: true, force: true });
  }
});
