import { readdir, rm, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nodeStore } from '../platform/node-store.ts';
import { content, known, other, pseudoRandom, quick, sha256, useDownloads } from './hub-test-downloads.ts';
import { serve } from './hub-test-server.ts';

const { at, download, drop, result, start } = useDownloads();

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
        await rm(at('file.bin'), { force: true });
        const expected = withDigest ? { size: bytes.length, sha256: sha256(bytes) } : {};
        const { receivedBytes } = await download(server, expected);
        expect(new Uint8Array(await result())).toEqual(bytes);
        expect(receivedBytes).toBe(bytes.length);
        expect(server.requests.length - first).toBeLessThanOrEqual(points.length + 1);
        expect(await readdir(at('.'))).toEqual(['file.bin']);
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
  expect((await readdir(at('.'))).sort()).toEqual(['file.bin.partial', 'file.bin.partial.json']);
  const { receivedBytes } = await download(server, known);
  expect(receivedBytes).toBe(20_000);
  expect(Buffer.compare(await result(), content)).toBe(0);
});

test('bytes that were damaged on disk between two processes are found and fetched again', async () => {
  const server = await start((request, response, n) =>
    serve(request, response, content, { etag: '"a"', ...(n === 0 ? drop(30_000) : {}) }),
  );
  await expect(download(server, { ...known, retries: 0 })).rejects.toMatchObject({ code: 'download-failed' });
  await writeFile(at('file.bin.partial'), new Uint8Array(30_000));
  await download(server, known);
  expect(Buffer.compare(await result(), content)).toBe(0);
});

test.each([
  ['of other content', { url: 'http://x/', size: content.length, sha256: sha256(other) }, 30_000],
  ['longer than the file', { url: 'http://x/', size: content.length, sha256: sha256(content) }, 60_000],
  ['without a note', undefined, 30_000],
  ['with a spoilt note', 'half of a n', 30_000],
])('a partial file %s is not continued', async (_, note, length) => {
  await writeFile(at('file.bin.partial'), pseudoRandom(length, 3));
  const text = typeof note === 'string' ? note : JSON.stringify(note);
  if (note !== undefined) await writeFile(at('file.bin.partial.json'), text);
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
