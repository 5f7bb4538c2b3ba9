import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fc, test as property } from '@fast-check/vitest';
import { afterAll, expect, test } from 'vitest';
import type { TaskCase } from '../tasks/task.ts';
import { ResultStore, resultKey } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'loci-results-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const newPath = () => join(folder, `${files++}.sqlite`);
const storeUrl = new URL('store.ts', import.meta.url).href;

const some: TaskCase = {
  id: 'needle:length=3,seed=0#0',
  context: Int32Array.of(1, 2),
  question: Int32Array.of(3),
  answer: Int32Array.of(4),
  accepted: ['4'],
  maxTokens: 5,
  spans: [{ kind: 'needle', start: 0, end: 1 }],
};
const of = { case: some, method: 'dense', model: 'abc', code: '1' };

property.prop([fc.array(fc.tuple(fc.string(), fc.jsonValue()), { maxLength: 10 })])(
  'what was put is there, also when the file is opened again',
  (entries) => {
    const path = newPath();
    const last = new Map(entries);
    {
      using store = new ResultStore(path);
      for (const [key, value] of entries) store.put(key, JSON.parse(JSON.stringify(value)));
    }
    using store = new ResultStore(path);
    for (const [key, value] of last) expect(store.get(key)).toEqual(JSON.parse(JSON.stringify(value)));
    expect(store.get('another key')).toBeUndefined();
  },
  20_000,
);

test('a key depends on everything, token ids and where they are divided included', () => {
  const changed = [
    of,
    { ...of, method: 'keep=snapkv:budget=8' },
    { ...of, model: 'abd' },
    { ...of, code: '2' },
    { ...of, case: { ...some, id: 'needle:length=3,seed=0#1' } },
    { ...of, case: { ...some, context: Int32Array.of(1), question: Int32Array.of(2, 3) } },
    { ...of, case: { ...some, answer: Int32Array.of(5) } },
    { ...of, case: { ...some, accepted: ['5'] } },
    { ...of, case: { ...some, maxTokens: 6 } },
    { ...of, case: { ...some, spans: [] } },
  ];
  expect(new Set(changed.map(resultKey)).size).toBe(changed.length);
  expect(resultKey({ ...of, case: { ...some, context: Int32Array.of(1, 2) } })).toBe(resultKey(of));
});

test('what was put stays when the process is killed', async () => {
  const path = newPath();
  const program = `
    import { ResultStore } from ${JSON.stringify(storeUrl)};
    const store = new ResultStore(${JSON.stringify(path)});
    for (let i = 0; ; i++) { store.put(String(i), i); process.stdout.write(i + '\\n'); }
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  for await (const data of child.stdout) {
    said += data;
    if (said.length > 100) child.kill('SIGKILL');
  }
  const last = Number(said.slice(0, said.lastIndexOf('\n')).split('\n').at(-1));
  expect(last).toBeGreaterThan(10);
  using store = new ResultStore(path);
  for (let i = 0; i <= last; i++) expect(store.get(String(i))).toBe(i);
});

test('several processes make and fill a file at the same time', async () => {
  const path = newPath();
  const program = `
    import { ResultStore } from ${JSON.stringify(storeUrl)};
    const store = new ResultStore(${JSON.stringify(path)});
    for (let i = 0; i < 20; i++) store.put(process.argv[1] + ' ' + i, i);
  `;
  const children = ['a', 'b', 'c'].map((name) =>
    spawn(process.execPath, ['--input-type=module', '-e', program, name], { stdio: 'inherit' }),
  );
  for (const code of await Promise.all(children.map((child) => once(child, 'exit')))) expect(code[0]).toBe(0);
  using store = new ResultStore(path);
  for (const name of ['a', 'b', 'c']) for (let i = 0; i < 20; i++) expect(store.get(`${name} ${i}`)).toBe(i);
});

test('a file that is something else is refused by name and left as it is', () => {
  const text = newPath();
  writeFileSync(text, 'A text, and no database at all. '.repeat(100));
  const before = readFileSync(text);
  expect(() => new ResultStore(text)).toThrow(expect.objectContaining({ code: 'bad-file' }));
  expect(() => new ResultStore(text)).toThrow(text);
  expect(readFileSync(text)).toEqual(before);

  const other = newPath();
  const database = new DatabaseSync(other);
  database.exec('CREATE TABLE recipes (name TEXT)');
  database.close();
  expect(() => new ResultStore(other)).toThrow(`${other} cannot be used as a store of results: it is a database of some`);

  const newer = newPath();
  new ResultStore(newer).close();
  const changed = new DatabaseSync(newer);
  changed.exec('PRAGMA user_version = 7');
  changed.close();
  expect(() => new ResultStore(newer)).toThrow('it has version 7');
  expect(() => new ResultStore(join(folder, 'no', 'such', 'folder'))).toThrow('no/such/folder cannot be used');
});

test('a damaged file is refused by name', () => {
  const path = newPath();
  {
    using store = new ResultStore(path);
    for (let i = 0; i < 200; i++) store.put(`key ${i}`, 'x'.repeat(100));
  }
  const whole = readFileSync(path);
  const overwritten = Buffer.from(whole);
  overwritten.fill(0xa5, 4096, 12_000);
  for (const bytes of [whole.subarray(0, whole.length >> 1), overwritten, whole.subarray(0, 50)]) {
    writeFileSync(path, bytes);
    expect(() => new ResultStore(path)).toThrow(expect.objectContaining({ code: 'bad-file' }));
    expect(() => new ResultStore(path)).toThrow(path);
  }
});
