import { existsSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { nodeStore } from '../platform/node-store.ts';
import { downloadFile } from './hub-download.ts';
import type { DownloadProgress } from './hub-progress.ts';
import { content, known, other, sha256, useDownloads } from './hub-test-downloads.ts';
import { sendAndDrop, serve } from './hub-test-server.ts';

const { at, download, drop, result, start } = useDownloads();

test('an endless body is read to the known size only', async () => {
  const server = await start((_, response) => {
    response.write(content);
    const timer = setInterval(() => response.write(other), 1);
    response.on('close', () => clearInterval(timer));
  });
  await download(server, known);
  expect(Buffer.compare(await result(), content)).toBe(0);
});

test('a body without any known length is refused', async () => {
  const server = await start((_, response) => {
    response.write('x');
    response.end('y');
  });
  await expect(download(server)).rejects.toThrow(/does not say how long/);
});

test('an announced length that is too long or too short is overruled by size and digest', async () => {
  const long = await start((_, response) => {
    response.writeHead(200, { 'content-length': content.length + 1_000 });
    response.write(content);
  });
  await download(long, known);
  expect(Buffer.compare(await result(), content)).toBe(0);

  await rm(at('file.bin'));
  const short = await start((request, response, n) => {
    if (n > 0) return serve(request, response, content);
    response.writeHead(200, { 'content-length': 1_000 });
    response.write(content);
  });
  await download(short, known);
  expect(Buffer.compare(await result(), content)).toBe(0);
});

test('an announced length that contradicts the known size is refused when no digest can decide', async () => {
  const server = await start((request, response) => serve(request, response, content));
  await expect(download(server, { size: 7 })).rejects.toThrow(/expected 7 bytes, the server announces 50000/);
});

test('a body that stays shorter than announced is an error, not a short file', async () => {
  const server = await start((_, response) => {
    response.writeHead(200, { 'content-length': content.length + 1, etag: '"a"' });
    sendAndDrop(response, content, drop(0).partial, content.length);
  });
  await expect(download(server)).rejects.toMatchObject({ code: 'download-failed' });
  expect(existsSync(at('file.bin'))).toBe(false);
});

test('wrong content is deleted and the message has both digests', async () => {
  const server = await start((request, response) => serve(request, response, other));
  await expect(download(server, known)).rejects.toThrow(`expected sha256 ${sha256(content)}, got ${sha256(other)}`);
  expect(await readdir(at('.'))).toEqual([]);
  expect(server.requests.length).toBe(1);
});

test('compression is declined, and a body that is compressed all the same is read in its own length', async () => {
  const forced = await start((request, response) => {
    expect(request.headers['accept-encoding']).toBe('identity');
    const body = gzipSync(new Uint8Array(content.length));
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': body.length }).end(body);
  });
  const { bytes } = await download(forced, { size: content.length });
  expect(bytes).toBe(content.length);
});

test('a place that cannot hold the file is an error with its path', async () => {
  const blocked = at('blocked');
  await writeFile(blocked, 'a file, not a directory');
  const server = await start((request, response) => serve(request, response, content));
  const failure = download(server, { destination: `${blocked}/file.bin` });
  await expect(failure).rejects.toMatchObject({ code: 'download-failed', message: expect.stringContaining(blocked) });
});

test("git's object name judges small files", async () => {
  const bytes = new TextEncoder().encode('hello\n');
  const server = await start((request, response) => serve(request, response, bytes));
  // `printf 'hello\n' | git hash-object --stdin`
  const gitBlob = 'ce013625030ba8dba906f756967f9e9ca394464a';
  await download(server, { size: 6, gitBlob });
  await rm(at('file.bin'));
  const wrong = gitBlob.replace('c', 'd');
  await expect(download(server, { size: 6, gitBlob: wrong })).rejects.toThrow(`git blob ${wrong}, got ${gitBlob}`);
});

test('a redirect to another origin is followed without the token, and with the range', async () => {
  const cdn = await start((request, response, n) => serve(request, response, content, n === 0 ? drop(9_000) : {}));
  const hub = await start((_, response) => response.writeHead(302, { location: `${cdn.url}/blob?signature=1` }).end());
  await download(hub, { ...known, headers: { authorization: 'Bearer secret' } });
  expect(hub.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer secret', 'Bearer secret']);
  expect(cdn.requests.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
  expect(cdn.requests[1]?.headers.range).toBe('bytes=9000-');
  expect(Buffer.compare(await result(), content)).toBe(0);
});

test('a server that falls silent is asked again', async () => {
  const server = await start((request, response, n) => {
    if (n === 0) return;
    if (n > 1) return serve(request, response, content);
    response.writeHead(200, { 'content-length': content.length });
    response.write(content.subarray(0, 30_000));
  });
  const { receivedBytes } = await download(server, { ...known, stallMs: 250 });
  expect(receivedBytes).toBe(content.length);
  expect(server.requests[2]?.headers.range).toBe('bytes=30000-');
  expect(Buffer.compare(await result(), content)).toBe(0);
});

test('500, 503 and 429 are passing; the pause that the server asks for is kept', async () => {
  const server = await start((request, response, n) => {
    if (n === 0) response.writeHead(500).end();
    else if (n === 1) response.writeHead(503).end();
    else if (n === 2) response.writeHead(429, { 'retry-after': '1' }).end();
    else serve(request, response, content);
  });
  const before = performance.now();
  await download(server, known);
  expect(performance.now() - before).toBeGreaterThan(950);
  expect(server.requests.length).toBe(4);
});

test('a server that keeps failing is asked a bounded number of times', async () => {
  const server = await start((_, response) => response.writeHead(503).end('busy'));
  await expect(download(server, { retries: 2 })).rejects.toThrow(/answered 503; gave up after 3 tries/);
  expect(server.requests.length).toBe(3);
});

test.each([
  [404, 'not-found', /404.*no such file/],
  [401, 'download-failed', /401.*HF_TOKEN/],
  [403, 'download-failed', /403.*terms.*HF_TOKEN/],
  [418, 'download-failed', /418/],
])('%i is final and says what to do', async (status, code, message) => {
  const server = await start((_, response) => response.writeHead(status).end('an error page'));
  const failure = download(server);
  await expect(failure).rejects.toMatchObject({ code });
  await expect(failure).rejects.toThrow(message);
  expect(server.requests.length).toBe(1);
  expect(existsSync(at('file.bin'))).toBe(false);
});

test('a port where nobody listens is an error that names the address', async () => {
  const server = await start(() => undefined);
  await server.close();
  await expect(download(server, { retries: 1 })).rejects.toThrow(new RegExp(`${server.url}.*ECONNREFUSED`));
});

test('an abort during a pause between tries does not wait for its end', async () => {
  const stop = new AbortController();
  const server = await start((_, response) => {
    response.writeHead(503).end();
    setTimeout(() => stop.abort(), 30);
  });
  const before = performance.now();
  await expect(download(server, { backoffMs: 60_000, signal: stop.signal })).rejects.toMatchObject({ code: 'aborted' });
  expect(performance.now() - before).toBeLessThan(5_000);
});

test('two downloads of one file at a time make one transfer', async () => {
  const server = await start((request, response) => {
    setTimeout(() => serve(request, response, content), 100);
  });
  const both = await Promise.all([download(server, known), download(server, known)]);
  expect(both.map(({ receivedBytes }) => receivedBytes).sort()).toEqual([0, content.length]);
  expect(server.requests.length).toBe(1);
});

test('a file that is there already needs no request', async () => {
  await writeFile(at('file.bin'), content);
  const server = await start(() => undefined);
  expect(await download(server, known)).toMatchObject({ bytes: content.length, receivedBytes: 0 });
  expect(server.requests.length).toBe(0);
});

test('progress comes at most ten times a second, never decreases and ends at the total', async () => {
  const events: DownloadProgress[] = [];
  const pieces = 60;
  const server = await start((_, response) => {
    response.writeHead(200, { 'content-length': content.length });
    let sent = 0;
    const timer = setInterval(() => {
      const end = Math.min(content.length, sent + Math.ceil(content.length / pieces));
      response.write(content.subarray(sent, end));
      sent = end;
      if (sent < content.length) return;
      clearInterval(timer);
      response.end();
    }, 8);
  });
  const before = performance.now();
  await download(server, { ...known, name: 'owner/model/file.bin', onProgress: (event) => events.push(event) });
  const seconds = (performance.now() - before) / 1000;
  const received = events.map(({ receivedBytes }) => receivedBytes);
  expect(events.length).toBeGreaterThan(3);
  expect(events.length).toBeLessThanOrEqual(seconds * 10 + 2);
  expect(received).toEqual([...received].sort((a, b) => a - b));
  expect(events.at(-1)).toMatchObject({ file: 'owner/model/file.bin', receivedBytes: 50_000, totalBytes: 50_000 });
  expect(events.at(-1)?.bytesPerSecond).toBeGreaterThan((0.5 * content.length) / seconds);
});

test.each([
  ['file:///etc/passwd', {}],
  ['http://', {}],
  ['http://127.0.0.1/x', { sha256: 'abc' }],
  ['http://127.0.0.1/x', { size: -1 }],
])('%s with %o is refused before anything is touched', async (url, options) => {
  const destination = at('file.bin');
  const failure = downloadFile({ store: nodeStore, url, destination, ...options });
  await expect(failure).rejects.toMatchObject({ code: 'bad-option' });
  expect(await readdir(at('.'))).toEqual([]);
});
