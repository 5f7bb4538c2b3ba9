import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodePlaces } from './node-places.ts';

test('without settings models are cached in the home directory and may be fetched', () => {
  const { store: _, modelsDir, ...rest } = nodePlaces({});
  expect(rest).toEqual({ cacheDir: join(homedir(), '.cache', 'loci'), offline: false });
  expect(existsSync(join(modelsDir, '..', 'packages', 'engine'))).toBe(true);
});

test('the environment overrides each of them', () => {
  const env = { LOCI_CACHE: '/data/loci', LOCI_OFFLINE: '1', HF_ENDPOINT: 'http://mirror', HF_TOKEN: 'secret' };
  expect(nodePlaces(env)).toMatchObject({
    cacheDir: '/data/loci',
    offline: true,
    endpoint: 'http://mirror',
    token: 'secret',
  });
});

test.each([
  ['', false],
  ['0', false],
  ['false', false],
  ['No', false],
  ['1', true],
  ['true', true],
  ['yes', true],
])('LOCI_OFFLINE=%s means %s', (LOCI_OFFLINE, offline) => {
  expect(nodePlaces({ LOCI_OFFLINE }).offline).toBe(offline);
});
