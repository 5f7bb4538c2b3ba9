import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { nodeStore } from '../platform/node-store.ts';
import { type DownloadOptions, downloadFile } from './hub-download.ts';
import type { DownloadProgress } from './hub-progress.ts';
import { type Answer, sendAndDrop, serve, startServer, type TestServer } from './hub-test-server.ts';

const quick = { retries: 5, backoffMs: 1, stallMs: 2_000 };
const content = pseudoRandom(50_000, 1);
const other = pseudoRandom(50_000, 2);

let directory: string;
let servers: TestServer[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'loci-download-'));
  servers = [];
});

afterEach(async () => {
  for (const server of servers) await server.close();
  await rm(directory, { recursive: true, force: true });
});

async function start(answer: Answer): Promise<TestServer> {
  const server = await startServer(answer);
  servers.push(server);
  return server;
}

function download(server: TestServer, options: Partial<DownloadOptions> = {}) {
  const destination = join(directory, 'file.bin');
  return downloadFile({ store: nodeStore, url: `${server.url}/file.bin`, destination, ...quick, ...options });
}

/** Cuts the connection when so many bytes have arrived on disk. */
const drop = (dropAfter: number) => ({ dropAfter, partial: join(directory, 'file.bin.partial') });
const result = () => readFile(join(directory, 'file.bin'));
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const known = { size: content.length, sha256: sha256(content) };

function pseudoRandom(length: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

test('whatever the content and wherever the connection drops, the file is the original and no byte comes twice', async () => {
  let bytes = new Uint8Array();
  let drops: readonly number[] = [];
  let first = 0;
  let patient = true;
  const server = await start((request, response, n) => {
    const dropAfter = drops[n - first];
    serve(request, response, bytes, {
      etag: '"a"',
      ...(patient && dropAfter !== undefined ? drop(dropAfter) : { dropAfter }),
    });
  });
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 0, maxLength: 5_000 }),
      fc.array(fc.nat(2_000), { maxLength: quick.retries }),
      fc.boolean(),
      fc.boolean(),
      async (original, points, withDigest, arriving) => {
        [bytes, drops, first, patient] = [Uint8Array.from(original), points, server.requests.length, arriving];
        await rm(join(directory, 'file.bin'), { force: true });
        const expected = withDigest ? { size: bytes.length, sha256: sha256(bytes) } : {};
        const { receivedBytes } = await download(server, expected);
        expect(new Uint8Array(await result())).toEqual(bytes);
        expect(receivedBytes).toBe(bytes.length);
        expect(server.requests.length - first).toBeLessThanOrEqual(points.length + 1);
        expect(await readdir(directory)).toEqual(['file.bin']);
      },
    ),
    { numRuns: 60 },
  );
});

test('many drops are survived as long as each try brings one percent', async () => {
  const server = await start((request, response) => serve(request, response, content, drop(2_000)));
  await download(server, known);
  expect(Buffer.compare(await result(), content)).toBe(0);
  expect(server.requests.length).toBeGreaterThan(quick.retries + 1);
});

test('a server that brings a byte per connection is given up', async () => {
  const server = await start((request, response) => serve(request, response, content, drop(1)));
  await expect(download(server, known)).rejects.toThrow(/connection|terminated|closed/i);
  expect(server.requests.length).toBe(quick.retries + 1);
});

test('without a digest a file that changes between tries starts over and is never mixed', async () => {
  const server = await start((request, response, n) => {
    if (n === 0) serve(request, response, content, { etag: '"one"', ...drop(20_000) });
    else serve(request, response, other, { etag: '"two"' });
  });
  await download(server);
  expect(server.requests[1]?.headers['if-range']).toBe('"one"');
  expect(Buffer.compare(await result(), other)).toBe(0);
});

test('a changed entity tag on a 206 starts over even when the server ignored If-Range', async () => {
  const server = await start((request, response, n) => {
    delete request.headers['if-range'];
    if (n === 0) serve(request, response, content, { etag: '"one"', ...drop(20_000) });
    else serve(request, response, other, { etag: '"two"' });
  });
  await download(server);
  expect(Buffer.compare(await result(), other)).toBe(0);
});

test('without a digest, an entity tag or a date nothing is continued', async () => {
  const server = await start((request, response, n) =>
    serve(request, response, n === 0 ? content : other, n === 0 ? drop(20_000) : {}),
  );
  await download(server);
  expect(server.requests[1]?.headers.range).toBeUndefined();
  expect(Buffer.compare(await result(), other)).toBe(0);
});

test('a date confirms a continuation when there is only a weak entity tag', async () => {
  const lastModified = 'Wed, 01 Jan 2025 00:00:00 GMT';
  const server = await start((request, response, n) =>
    serve(request, response, content, { etag: 'W/"a"', lastModified, ...(n === 0 ? drop(20_000) : {}) }),
  );
  const { receivedBytes } = await download(server);
  expect(server.requests[1]?.headers['if-range']).toBe(lastModified);
  expect(receivedBytes).toBe(content.length);
  expect(Buffer.compare(await result(), content)).toBe(0);
});

test('a server that ignores Range is read from the start again', async () => {
  const server = await start((request, response, n) => {
    delete request.headers.range;
    serve(request, response, content, n < 3 ? drop(10_000) : {});
  });
  await download(server, known);
  expect(server.requests[1]?.headers.range).toBe('bytes=10000-');
  expect(Buffer.compare(await result(), content)).toBe(0);
});

test('a server that ignores Range and always drops is given up', async () => {
  const server = await start((request, response) => {
    delete request.headers.range;
    serve(request, response, content, drop(10_000));
  });
  await expect(download(server, known)).rejects.toMatchObject({ code: 'download-failed' });
  expect(server.requests.length).toBeLessThanOrEqual(quick.retries + 2);
});

test.each([
  ['another start', `bytes 0-${content.length - 1}/${content.length}`],
  ['another length', `bytes 10000-${content.length - 1}/999999`],
  ['nonsense', 'bytes what'],
  ['no Content-Range', undefined],
])('a 206 with %s is not appended', async (_, range) => {
  const server = await start((request, response, n) => {
    if (request.headers.range === undefined) {
      serve(request, response, content, n === 0 ? drop(10_000) : {});
    } else {
      response.writeHead(206, range === undefined ? {} : { 'content-range': range }).end(content.subarray(10_000));
    }
  });
  await download(server, known);
  expect(server.requests.map(({ headers }) => headers.range)).toEqual([undefined, 'bytes=10000-', undefined]);
  expect(Buffer.compare(await result(), content)).toBe(0);
});

test('416 starts over', async () => {
  const server = await start((request, response, n) => {
    if (n === 1) response.writeHead(416).end();
    else serve(request, response, content, n === 0 ? drop(10_000) : {});
  });
  await download(server, known);
  expect(Buffer.compare(await result(), content)).toBe(0);
});

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

  await rm(join(directory, 'file.bin'));
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
  expect(existsSync(join(directory, 'file.bin'))).toBe(false);
});

test('wrong content is deleted and the message has both digests', async () => {
  const server = await start((request, response) => serve(request, response, other));
  await expect(download(server, known)).rejects.toThrow(`expected sha256 ${sha256(content)}, got ${sha256(other)}`);
  expect(await readdir(directory)).toEqual([]);
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
  const blocked = join(directory, 'blocked');
  await writeFile(blocked, 'a file, not a directory');
  const server = await start((request, response) => serve(request, response, content));
  const failure = download(server, { destination: join(blocked, 'file.bin') });
  await expect(failure).rejects.toMatchObject({ code: 'download-failed', message: expect.stringContaining(blocked) });
});

test("git's object name judges small files", async () => {
  const bytes = new TextEncoder().encode('hello\n');
  const server = await start((request, response) => serve(request, response, bytes));
  // `printf 'hello\n' | git hash-object --stdin`
  const gitBlob = 'ce013625030ba8dba906f756967f9e9ca394464a';
  await download(server, { size: 6, gitBlob });
  await rm(join(directory, 'file.bin'));
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
  expect(existsSync(join(directory, 'file.bin'))).toBe(false);
});

test('a port where nobody listens is an error that names the address', async () => {
  const server = await start(() => undefined);
  await server.close();
  await expect(download(server, { retries: 1 })).rejects.toThrow(new RegExp(`${server.url}.*ECONNREFUSED`));
});

test('an aborted download keeps its bytes and the next one fetches only the rest', async () => {
  const stop = new AbortController();
  const server = await start((request, response, n) => {
    if (n > 0) return serve(request, response, content, { etag: '"a"' });
    response.writeHead(200, { 'content-length': content.length, etag: '"a"' });
    response.write(content.subarray(0, 30_000), () => setTimeout(() => stop.abort(), 50));
  });
  await expect(download(server, { ...known, signal: stop.signal })).rejects.toMatchObject({
    code: 'aborted',
    message: expect.stringContaining('stopped at 30000 of 50000 bytes'),
  });
  expect((await readdir(directory)).sort()).toEqual(['file.bin.partial', 'file.bin.partial.json']);
  const { receivedBytes } = await download(server, known);
  expect(receivedBytes).toBe(20_000);
  expect(Buffer.compare(await result(), content)).toBe(0);
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

test('bytes that were damaged on disk between two processes are found and fetched again', async () => {
  const server = await start((request, response, n) =>
    serve(request, response, content, { etag: '"a"', ...(n === 0 ? drop(30_000) : {}) }),
  );
  await expect(download(server, { ...known, retries: 0 })).rejects.toMatchObject({ code: 'download-failed' });
  await writeFile(join(directory, 'file.bin.partial'), new Uint8Array(30_000));
  await download(server, known);
  expect(Buffer.compare(await result(), content)).toBe(0);
});

test.each([
  ['of other content', { url: 'http://x/', size: content.length, sha256: sha256(other) }, 30_000],
  ['longer than the file', { url: 'http://x/', size: content.length, sha256: sha256(content) }, 60_000],
  ['without a note', undefined, 30_000],
  ['with a spoilt note', 'half of a n', 30_000],
])('a partial file %s is not continued', async (_, note, length) => {
  await writeFile(join(directory, 'file.bin.partial'), pseudoRandom(length, 3));
  const text = typeof note === 'string' ? note : JSON.stringify(note);
  if (note !== undefined) await writeFile(join(directory, 'file.bin.partial.json'), text);
  const server = await start((request, response) => serve(request, response, content));
  await download(server, known);
  expect(server.requests.map(({ headers }) => headers.range)).toEqual([undefined]);
  expect(Buffer.compare(await result(), content)).toBe(0);
});

test('a full disk is named, and what fitted is continued later', async () => {
  let room = 20_000;
  const store: typeof nodeStore = {
    ...nodeStore,
    openGrowing: async (path) => {
      const file = await nodeStore.openGrowing(path);
      return Object.assign(Object.create(file), {
        append: async (chunk: Uint8Array) => {
          const fitting = chunk.subarray(0, room);
          room -= fitting.length;
          await file.append(fitting);
          if (fitting.length < chunk.length) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
        },
      });
    },
  };
  const server = await start((request, response) => serve(request, response, content));
  await expect(download(server, { ...known, store })).rejects.toThrow(/the disk is full/);
  expect(server.requests.length).toBe(1);
  const { receivedBytes } = await download(server, known);
  expect(receivedBytes).toBe(30_000);
  expect(Buffer.compare(await result(), content)).toBe(0);
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
  await writeFile(join(directory, 'file.bin'), content);
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
  const destination = join(directory, 'file.bin');
  const failure = downloadFile({ store: nodeStore, url, destination, ...options });
  await expect(failure).rejects.toMatchObject({ code: 'bad-option' });
  expect(await readdir(directory)).toEqual([]);
});
