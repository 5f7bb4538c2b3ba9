import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { nodeStore } from '../platform/node-store.ts';
import type { DownloadProgress } from './hub-progress.ts';
import { serve, startServer, type TestServer } from './hub-test-server.ts';
import { type LocateOptions, locateModel } from './locate.ts';
import { modelPaths } from './locate-choose.ts';
import { listModels } from './locate-list.ts';

let root: string;
let modelsDir: string;
let cacheDir: string;
let server: TestServer | undefined;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'loci-locate-'));
  modelsDir = join(root, 'models');
  cacheDir = join(root, 'cache');
  await put(join(modelsDir, 'small-135m', 'Small.Q4_1.gguf'), 'small');
  await put(join(modelsDir, 'small-135m', 'README.md'), 'card');
});

afterEach(async () => {
  await server?.close();
  server = undefined;
  await rm(root, { recursive: true, force: true });
});

async function put(path: string, text: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return path;
}

function locate(reference: string, options: Partial<LocateOptions> = {}) {
  const endpoint = server?.url ?? 'http://127.0.0.1:9';
  const quick = { retries: 2, backoffMs: 1, stallMs: 2_000 };
  return locateModel(reference, { store: nodeStore, modelsDir, cacheDir, endpoint, ...quick, ...options });
}

const places = () => ({ store: nodeStore, modelsDir, cacheDir });
const digest = (algorithm: string, text: string) => createHash(algorithm).update(text).digest('hex');

/** A hub with these repositories; `.gguf` and `.safetensors` files are large files with a sha256. */
async function startHub(repos: Record<string, Record<string, string>>, commit = 'c'.repeat(40)): Promise<TestServer> {
  server = await startServer((request, response) => {
    const url = decodeURIComponent(new URL(request.url ?? '', 'http://x').pathname);
    for (const [repo, files] of Object.entries(repos)) {
      if (url === `/api/models/${repo}/revision/main`) return response.end(JSON.stringify({ sha: commit }));
      if (url === `/api/models/${repo}/tree/${commit}`) return response.end(JSON.stringify(tree(files)));
      const content = files[url.replace(`/${repo}/resolve/${commit}/`, '')];
      if (content !== undefined) return serve(request, response, new TextEncoder().encode(content));
    }
    return response.writeHead(404).end();
  });
  return server;
}

function tree(files: Record<string, string>) {
  return Object.entries(files).map(([path, text]) => {
    const size = text.length;
    const oid = digest('sha1', `blob ${size}\0${text}`);
    const large = /\.(gguf|safetensors)$/.test(path);
    return { type: 'file', path, oid, size, ...(large ? { lfs: { oid: digest('sha256', text), size } } : {}) };
  });
}

test('a path to a GGUF file is that file', async () => {
  const path = await put(join(root, 'a.gguf'), 'x');
  expect(await locate(path)).toEqual({ kind: 'gguf', path });
});

test('a safetensors file is found with its companions, by its own path or that of its directory', async () => {
  const weights = await put(join(root, 'm', 'model.safetensors'), 'w');
  const config = await put(join(root, 'm', 'config.json'), '{}');
  await expect(locate(weights)).rejects.toThrow(/has weights but no tokenizer.json/);
  const tokenizer = await put(join(root, 'm', 'tokenizer.json'), '{}');
  const found = { kind: 'safetensors', weights: [weights], config, tokenizer };
  expect(await locate(weights)).toEqual(found);
  expect(await locate(join(root, 'm'))).toEqual(found);
});

test('weights with nothing beside them may say themselves what they are, if they can be looked into', async () => {
  const weights = await put(join(root, 'lone', 'model.safetensors'), 'w');
  const found = {
    kind: 'alone',
    path: weights,
    otherwise: expect.stringMatching(/no config.json and no tokenizer.json/),
  };
  expect(await locate(weights)).toEqual(found);
  expect(await locate(join(root, 'lone'))).toEqual(found);
});

test('a directory with several GGUF files is refused with paths that can be given instead', async () => {
  const first = await put(join(root, 'm', 'a.gguf'), 'x');
  await put(join(root, 'm', 'b.gguf'), 'y');
  const failure = locate(join(root, 'm'));
  await expect(failure).rejects.toMatchObject({ code: 'bad-option' });
  await expect(failure).rejects.toThrow(`${first}  (1 B)`);
});

test('a short name is a directory or a file among the bundled models, also when offline', async () => {
  const path = join(modelsDir, 'small-135m', 'Small.Q4_1.gguf');
  expect(await locate('small-135m', { offline: true })).toEqual({ kind: 'gguf', path });
  const loose = await put(join(modelsDir, 'tiny.gguf'), 'x');
  expect(await locate('tiny')).toEqual({ kind: 'gguf', path: loose });
  expect(await locate('tiny.gguf')).toEqual({ kind: 'gguf', path: loose });
});

test('a repository with one GGUF file is fetched once, verified, and then found without a hub', async () => {
  const hub = await startHub({ 'owner/name': { 'README.md': 'r', 'sub/m.gguf': 'weights' } });
  const events: DownloadProgress[] = [];
  const path = join(cacheDir, 'hub', 'owner', 'name', 'main', 'sub', 'm.gguf');
  expect(await locate('owner/name', { onProgress: (event) => events.push(event) })).toEqual({ kind: 'gguf', path });
  expect(await readFile(path, 'utf8')).toBe('weights');
  expect(events.at(-1)).toMatchObject({ file: 'owner/name/sub/m.gguf', receivedBytes: 7, totalBytes: 7 });
  const asked = hub.requests.length;
  expect(await locate('hf:owner/name@main:sub/m.gguf')).toEqual({ kind: 'gguf', path });
  expect(await locate('owner/name', { offline: true })).toEqual({ kind: 'gguf', path });
  expect(hub.requests.length).toBe(asked);
});

test('of a safetensors repository only the files of the model are fetched', async () => {
  const repo = {
    'config.json': '{}',
    'tokenizer.json': '{"a":1}',
    'generation_config.json': '{"g":1}',
    'model.safetensors': 'weights',
    'pytorch_model.bin': 'unwanted',
    'onnx/model.onnx': 'unwanted',
  };
  await startHub({ 'owner/name': repo });
  const model = await locate('owner/name');
  expect(model).toMatchObject({
    kind: 'safetensors',
    generationConfig: expect.stringMatching(/generation_config.json$/),
  });
  const directory = join(cacheDir, 'hub', 'owner', 'name', 'main');
  const expected = ['config.json', 'generation_config.json', 'hub-listing.json', 'model.safetensors', 'tokenizer.json'];
  expect((await readdir(directory)).sort()).toEqual(expected);
  for (const path of modelPaths(model)) expect(await readFile(path, 'utf8')).toMatch(/^(\{.*\}|weights)$/);
});

test('for the tokenizer of a safetensors repository only its two files are fetched', async () => {
  const weights = { 'model.safetensors': 'w', 'config.json': '{}', 'chat_template.jinja': 't' };
  const { requests } = await startHub({
    'org/base': { ...weights, 'tokenizer.json': '{ }', 'tokenizer_config.json': '{  }' },
  });
  const model = await locate('org/base', { part: 'tokenizer' });
  const fetched = requests.map(({ path }) => path.split('/').at(-1)).slice(2);
  expect(fetched).toEqual(['tokenizer.json', 'tokenizer_config.json']);
  // The rest follows when the model is wanted.
  expect(await locate('org/base')).toEqual(model);
  expect(requests.map(({ path }) => path.split('/').at(-1))).toContain('model.safetensors');
});

test('a branch that moves on changes nothing in what was fetched before', async () => {
  await startHub({ 'owner/name': { 'a.Q4_0.gguf': 'old4', 'a.Q8_0.gguf': 'old8' } });
  await locate('owner/name:a.Q4_0.gguf');
  await server?.close();
  const old = 'c'.repeat(40);
  await startHub({ 'owner/name': { 'a.Q4_0.gguf': 'new4', 'a.Q8_0.gguf': 'new8' } }, 'd'.repeat(40));
  await expect(locate('owner/name:a.Q8_0.gguf')).rejects.toMatchObject({ code: 'not-found' });
  expect(server?.requests.map(({ path }) => path)).toEqual([`/owner/name/resolve/${old}/a.Q8_0.gguf`]);
});

test('a repository with several GGUF files lists references with sizes, and nothing is kept', async () => {
  await startHub({ 'owner/name': { 'a.Q4_0.gguf': '1234', 'a.Q8_0.gguf': '12345678' } });
  const failure = locate('owner/name');
  await expect(failure).rejects.toMatchObject({ code: 'bad-option' });
  await expect(failure).rejects.toThrow('owner/name:a.Q4_0.gguf  (4 B)\n  owner/name:a.Q8_0.gguf  (8 B)');
  expect(await readdir(root)).toEqual(['models']);
});

test('a hub that serves other bytes than it lists is not believed, for large and for small files', async () => {
  const files: Record<string, string> = { 'm.gguf': 'good' };
  await startHub({ 'owner/name': files });
  const listed = tree(files);
  files['m.gguf'] = 'evil';
  await server?.close();
  server = await startServer((request, response) => {
    if (request.url?.includes('/tree/')) return response.end(JSON.stringify(listed));
    if (request.url?.includes('/resolve/')) return serve(request, response, new TextEncoder().encode('evil'));
    return response.writeHead(404).end();
  });
  const failure = locate('owner/name');
  await expect(failure).rejects.toMatchObject({ code: 'download-failed' });
  await expect(failure).rejects.toThrow(digest('sha256', 'good'));
  expect(await readdir(join(cacheDir, 'hub', 'owner', 'name', 'main'))).toEqual(['hub-listing.json']);
});

test('file names that lead out of the cache are refused and nothing is written', async () => {
  await startHub({ 'owner/name': { '../../../evil.gguf': 'x' } });
  await expect(locate('owner/name')).rejects.toThrow(/leads out of the repository/);
  await expect(locate('owner/name:../../../evil.gguf')).rejects.toMatchObject({ code: 'not-found' });
  expect(await readdir(root)).toEqual(['models']);
});

test('offline nothing is asked for, and the error says what is missing where', async () => {
  const hub = await startHub({ 'owner/name': { 'm.gguf': 'x' } });
  const failure = locate('owner/name', { offline: true });
  await expect(failure).rejects.toMatchObject({ code: 'not-found' });
  await expect(failure).rejects.toThrow(/offline/);
  expect(hub.requests.length).toBe(0);
});

test('files put into the cache by hand are found offline', async () => {
  const path = await put(join(cacheDir, 'hub', 'owner', 'name', 'main', 'm.gguf'), 'x');
  expect(await locate('owner/name', { offline: true })).toEqual({ kind: 'gguf', path });
  expect(await readdir(dirname(path)), 'the hub was not asked, so nothing is noted as its word').toEqual(['m.gguf']);
});

test('a fetched model that has lost a file is fetched again, but not offline', async () => {
  const hub = await startHub({ 'owner/name': { 'm.gguf': 'weights' } });
  await locate('owner/name');
  const path = join(cacheDir, 'hub', 'owner', 'name', 'main', 'm.gguf');
  await writeFile(path, 'cut');
  const asked = hub.requests.length;
  await expect(locate('owner/name', { offline: true })).rejects.toThrow(/m.gguf not in .*offline/);
  expect(hub.requests.length).toBe(asked);
  await locate('owner/name');
  expect(await readFile(path, 'utf8')).toBe('weights');
});

test('a name that is nothing is not found, with what was tried and similar names', async () => {
  await expect(locate('smal-135m')).rejects.toMatchObject({
    code: 'not-found',
    message: expect.stringMatching(/no such file or directory.*models.*Did you mean small-135m\?/),
  });
  const path = await put(join(root, 'files', 'gemma3-270m.gguf'), 'x');
  await expect(locate(join(root, 'files', 'gema3-270m.gguf'))).rejects.toThrow(`Did you mean ${path}?`);
  await startHub({});
  const unknown = locate('owner/unknown');
  await expect(unknown).rejects.toMatchObject({ code: 'not-found' });
  await expect(unknown).rejects.toThrow(/owner\/unknown: no such file or directory; as a model on the hub: .*404/);
});

test.each(['', '  ', '.', '/', 'a:b:c', 'owner/name@', '\\'])('%j is refused without a request', async (reference) => {
  const hub = await startHub({});
  await expect(locate(reference)).rejects.toMatchObject({ name: 'LociError' });
  expect(hub.requests.length).toBe(0);
});

test('an empty directory is said to be empty', async () => {
  await mkdir(join(root, 'empty'));
  await expect(locate(join(root, 'empty'))).rejects.toThrow(/holds no .gguf and no .safetensors file/);
});

test('an aborted fetch says so and continues later', async () => {
  await startHub({ 'owner/name': { 'm.gguf': 'weights' } });
  await expect(locate('owner/name', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' });
  expect(await locate('owner/name')).toMatchObject({ kind: 'gguf' });
});

test('every listed model has its size and is located, offline, by the name it is listed with', async () => {
  await put(join(modelsDir, 'tiny.gguf'), '1234');
  await put(join(modelsDir, 'two', 'a.gguf'), 'a');
  await put(join(modelsDir, 'two', 'b.gguf'), 'bb');
  await put(join(modelsDir, 'broken', 'model-00001-of-00002.safetensors'), 'x');
  await put(join(cacheDir, 'hub', 'hand', 'made', 'main', 'm.gguf'), 'x');
  await startHub({
    'one/gguf': { 'm.gguf': 'x', 'README.md': 'r' },
    'many/gguf': { 'a.gguf': 'xx', 'b.gguf': 'xxx' },
    'safe/tensors': { 'config.json': '{}', 'tokenizer.json': '{}', 'model.safetensors': '12345', 'README.md': 'r' },
  });
  await locate('one/gguf');
  await locate('many/gguf:b.gguf');
  await locate('safe/tensors');
  await put(join(cacheDir, 'hub', 'one', 'gguf', 'main', 'half.gguf.partial'), 'x');

  const models = await listModels(places());
  expect(models.map(({ name, bytes, source }) => `${source} ${name} ${bytes}`)).toEqual([
    'bundled small-135m 5',
    'bundled tiny 4',
    `bundled ${join(modelsDir, 'two', 'a.gguf')} 1`,
    `bundled ${join(modelsDir, 'two', 'b.gguf')} 2`,
    'hub hand/made 1',
    'hub many/gguf:b.gguf 3',
    'hub one/gguf 1',
    'hub safe/tensors 9',
  ]);
  for (const { name, path, kind } of models) {
    const located = await locate(name, { offline: true });
    expect(located.kind).toBe(kind);
    for (const file of modelPaths(located)) expect(file.startsWith(path)).toBe(true);
  }
});

test('where there are no directories there are no models', async () => {
  const nowhere = { store: nodeStore, modelsDir: join(root, 'x'), cacheDir: join(root, 'y') };
  expect(await listModels(nowhere)).toEqual([]);
});
