import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { bundle } from './bundle.mjs';

const out = mkdtempSync(join(realpathSync(tmpdir()), 'loci-'));
afterAll(() => rmSync(out, { recursive: true }));

const run = (file: string, ...args: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
};

test('packages are bundled when they have changed since, and not otherwise', async () => {
  expect(await bundle(out)).toBe(true);
  expect(await bundle(out)).toBe(false);
  const before = readFileSync(join(out, 'cli.mjs'));
  utimesSync(join(out, 'bundled'), 0, 0);
  expect(await bundle(out)).toBe(true);
  expect(readFileSync(join(out, 'cli.mjs'))).toEqual(before);
}, 60_000);

test('what is bundled answers as the sources do', () => {
  const source = fileURLToPath(new URL('../packages/cli/main.mjs', import.meta.url));
  for (const args of [['--version'], ['--help'], ['papers', '--json']]) {
    expect(run(join(out, 'cli.mjs'), ...args)).toBe(run(source, ...args));
  }
}, 60_000);

test('modules find what lies beside them', () => {
  const code = readdirSync(out).map((name) => readFileSync(join(out, name), 'utf8'));
  const places = code.flatMap((text) => [...text.matchAll(/new URL\("([^"]+)", import\.meta\.url\)\.href/g)]);
  expect(places.length).toBeGreaterThan(5);
  for (const [, place = ''] of places) expect(existsSync(join(out, place))).toBe(true);
});
