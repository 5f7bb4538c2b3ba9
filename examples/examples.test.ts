import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const run = (name: string, ...args: string[]) =>
  execFileSync(process.execPath, [fileURLToPath(new URL(name, import.meta.url)), ...args], { encoding: 'utf8' });

test('the example that asks reuses the text for its second question', () => {
  const folder = mkdtempSync(join(tmpdir(), 'loci-example-'));
  try {
    const file = join(folder, 'text.txt');
    writeFileSync(
      file,
      'Call me Ishmael. Some years ago I thought I would sail about a little and see the watery part of the world.',
    );
    const reused = [...run('ask.ts', file).matchAll(/(\d+) of them known/g)].map((match) => Number(match[1]));
    expect(reused).toHaveLength(2);
    expect(reused[0]).toBe(0);
    expect(reused[1]).toBeGreaterThan(40);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the example that chooses finds Paris the likeliest', () => {
  const lines = run('choose.ts').trim().split('\n');
  const best = lines.toSorted((a, b) => Number.parseFloat(a) - Number.parseFloat(b))[0];
  expect(best).toContain('Paris');
});
