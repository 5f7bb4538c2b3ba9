import { expect, test } from 'vitest';
import { bytes, counted, duration, twoColumns } from './format.ts';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [99_949, '99.9 kB'],
  [99_960, '100 kB'],
  [999_499, '999 kB'],
  [999_500, '1.0 MB'],
  [98_362_432, '98.4 MB'],
])('%i bytes are %s', (n, shown) => {
  expect(bytes(n)).toBe(shown);
});

test.each([
  [0.4, '0 ms'],
  [999.4, '999 ms'],
  [999.6, '1.0 s'],
  [59_940, '59.9 s'],
  [99_949, '99.9 s'],
  [99_950, '1 min 40 s'],
  [125_000, '2 min 5 s'],
])('%f ms are %s', (ms, shown) => {
  expect(duration(ms)).toBe(shown);
});

test('one is not plural', () => {
  expect([counted(0, 'token'), counted(1, 'token'), counted(7512, 'token')]).toEqual([
    '0 tokens',
    '1 token',
    '7,512 tokens',
  ]);
});

test('the second column begins in one place', () => {
  expect(
    twoColumns([
      ['a', '1'],
      ['long', '2'],
      ['b', ''],
    ]),
  ).toBe('  a     1\n  long  2\n  b');
});
