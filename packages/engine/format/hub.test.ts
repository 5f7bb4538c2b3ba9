import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { formatHubReference, hubFileUrl, isInside, listRepository, parseHubReference, readListing } from './hub.ts';
import { type Answer, startServer, type TestServer } from './hub-test-server.ts';

const quick = { retries: 1, backoffMs: 1, stallMs: 2_000 };
const commit = '0123456789abcdef0123456789abcdef01234567';
const servers: TestServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function start(answer: Answer): Promise<TestServer> {
  const server = await startServer(answer);
  servers.push(server);
  return server;
}

/** A hub with one repository whose listing is `pages`, one answer per page. */
function startHub(pages: readonly unknown[], host = 'http://original.example'): Promise<TestServer> {
  return start((request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    if (url.pathname === '/api/models/owner/name/revision/main') return response.end(JSON.stringify({ sha: commit }));
    if (url.pathname !== `/api/models/owner/name/tree/${commit}`) return response.writeHead(404).end();
    const page = Number(url.searchParams.get('cursor') ?? 0);
    const next = `${host}${url.pathname}?recursive=true&cursor=${page + 1}`;
    if (page + 1 < pages.length) response.setHeader('link', `<${next}>; rel="next"`);
    return response.end(JSON.stringify(pages[page]));
  });
}

const main = { repo: 'owner/name', revision: 'main' };
const list = (server: TestServer) => listRepository(main, { endpoint: server.url, token: 'secret', ...quick });

test.each([
  ['owner/name', 'owner/name', 'main', undefined],
  ['hf:owner/name', 'owner/name', 'main', undefined],
  ['owner/name@v1.0', 'owner/name', 'v1.0', undefined],
  ['owner/name@refs/pr/3:Q4_0/model.gguf', 'owner/name', 'refs/pr/3', 'Q4_0/model.gguf'],
  ['Qwen/Qwen2.5-0.5B-Instruct-GGUF:a b.gguf', 'Qwen/Qwen2.5-0.5B-Instruct-GGUF', 'main', 'a b.gguf'],
])('%s is a reference', (text, repo, revision, file) => {
  const reference = { repo, revision, ...(file === undefined ? {} : { file }) };
  expect(parseHubReference(text)).toEqual(reference);
  expect(parseHubReference(formatHubReference(reference))).toEqual(reference);
});

test.each([
  'name',
  'a/b/c',
  '../name',
  'owner/..',
  'owner/name@../x',
  'owner/name@a/../../b',
  'owner/name:../../x.gguf',
  'owner/name:/etc/passwd',
  'owner/name:a\\..\\b.gguf',
  'owner/name:C:/x.gguf',
  'C:/models/x.gguf',
  './owner/name',
  'owner/name:',
  'owner/name@',
])('%s is no reference', (text) => {
  expect(parseHubReference(text)).toBeUndefined();
});

test('a path is inside exactly when resolving it cannot leave a directory on any system', () => {
  const part = fc.constantFrom('..', '.', '', 'a', 'b.gguf', '...', 'C:', '\\', 'a\\..', '\0', '..a');
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
      const harmless = parts.every(
        (p) => ['a', 'b.gguf', '...', '..a'].includes(p) || (p === 'C:' && parts[0] !== 'C:'),
      );
      expect(isInside(parts.join('/'))).toBe(harmless);
    }),
  );
});

test('a listing has sizes and digests of all pages, asked for at the commit that the branch meant', async () => {
  const sha256 = 'ab'.repeat(32);
  const server = await startHub([
    [
      { type: 'directory', path: 'sub', oid: commit, size: 0 },
      { type: 'file', path: 'config.json', oid: commit, size: 12 },
    ],
    [{ type: 'file', path: 'sub/m.gguf', oid: commit, size: 900, lfs: { oid: sha256, size: 900, pointerSize: 130 } }],
  ]);
  const listing = await list(server);
  expect(listing).toEqual({
    ...main,
    commit,
    files: [
      { path: 'config.json', bytes: 12, gitBlob: commit },
      { path: 'sub/m.gguf', bytes: 900, sha256 },
    ],
  });
  expect(server.requests.every(({ headers }) => headers.authorization === 'Bearer secret')).toBe(true);
  expect(readListing(JSON.stringify(listing))).toEqual(listing);
  expect(hubFileUrl(listing, 'sub/a b#.gguf', { endpoint: 'http://h/' })).toBe(
    `http://h/owner/name/resolve/${commit}/sub/a%20b%23.gguf`,
  );
});

test.each(['../../x', '/etc/passwd', 'a/../../b', 'a\\b', 'C:/x', 'a//b', '', 'a\0b'])(
  'a listing with the file name %j is refused as a whole',
  async (path) => {
    const server = await startHub([[{ type: 'file', path, oid: commit, size: 1 }]]);
    await expect(list(server)).rejects.toThrow(/leads out of the repository/);
    const saved = { ...main, commit, files: [{ path, bytes: 1 }] };
    expect(readListing(JSON.stringify(saved))).toBeUndefined();
  },
);

test.each([
  ['no list', { error: 'x' }, /not a list/],
  ['no size', [{ type: 'file', path: 'a', oid: commit }], /a has the size/],
  ['a fractional size', [{ type: 'file', path: 'a', oid: commit, size: 1.5 }], /a has the size 1.5/],
  ['a spoilt digest', [{ type: 'file', path: 'a', size: 1, lfs: { oid: 'zz', size: 1 } }], /a has the sha256 "zz"/],
  ['numbers', [1], /not an object/],
])('a listing with %s is an error', async (_, page, message) => {
  await expect(list(await startHub([page]))).rejects.toThrow(message);
});

test('an answer that is not JSON is quoted', async () => {
  const server = await start((_, response) => response.end('<html>log in to this network</html>'));
  await expect(list(server)).rejects.toThrow(/not JSON but "<html>log in/);
});

test('pages that lead in a circle end with an error', async () => {
  const server = await start((request, response) => {
    response.setHeader('link', `<http://x/y?cursor=1>; rel="next"`);
    response.end(request.url?.includes('/revision/') ? '{}' : '[]');
  });
  await expect(list(server)).rejects.toThrow(/never ends/);
});

test('a mirror that only has listings is enough', async () => {
  const server = await start((request, response) => {
    if (request.url === '/api/models/owner/name/tree/main?recursive=true') response.end('[]');
    else response.writeHead(404).end();
  });
  expect(await list(server)).toEqual({ ...main, commit: 'main', files: [] });
});

test('a repository that does not exist is not found; a refused one says how to get in', async () => {
  const absent = await start((_, response) => response.writeHead(404).end());
  await expect(list(absent)).rejects.toMatchObject({ code: 'not-found' });
  const hidden = await start((_, response) => response.writeHead(401, { 'x-error-code': 'RepoNotFound' }).end());
  await expect(list(hidden)).rejects.toMatchObject({ code: 'not-found', message: expect.stringMatching(/HF_TOKEN/) });
  const gated = await start((_, response) => response.writeHead(403, { 'x-error-message': 'ask the authors' }).end());
  await expect(list(gated)).rejects.toThrow(/ask the authors.*accept the model's terms/);
});

test('an endpoint that is no address is refused', async () => {
  const failure = listRepository(main, { endpoint: 'mirror.example' });
  await expect(failure).rejects.toMatchObject({ code: 'bad-option', message: expect.stringMatching(/HF_ENDPOINT/) });
});
