import { expect, test } from 'vitest';
import { phaseText, rowOf } from './roofline.ts';

const limits = { threads: 2, gigabytesPerSecond: 20, integerGops: 400, floatGops: 100 };
const time = { kernel: 'matmul', shape: '64 → 96', calls: 3 };

test('a kernel is bound by what takes longer at the limit', () => {
  const reading = { bytes: 40e6, ops: 100e6, arithmetic: 'integer' } as const;
  expect(rowOf({ ...time, ms: 4, work: reading }, limits).limited).toEqual({
    by: 'memory',
    gigabytesPerSecond: 10,
    gops: 25,
    share: 0.5,
  });
  const computing = { bytes: 2e6, ops: 400e6, arithmetic: 'float' } as const;
  expect(rowOf({ ...time, ms: 8, work: computing }, limits).limited).toMatchObject({
    by: 'float',
    gops: 50,
    share: 0.5,
  });
});

test('kernels without a limit have their time alone', () => {
  const row = rowOf({ kernel: 'norm', shape: '', calls: 2, ms: 1, work: undefined }, limits);
  expect(row).toEqual({ kernel: 'norm', shape: '', calls: 2, ms: 1 });
  const text = phaseText({ phase: 'decode', tokens: 1, behind: 512, programMs: 4, kernels: [row] });
  expect(text.split('\n')).toEqual([
    'decode of 1 token behind 512 tokens',
    '  kernel  shape           calls    ms  of all  speed  of the limit',
    '  norm                        2  1.00    25 %',
    '  all     in their order      2  4.00',
  ]);
});
