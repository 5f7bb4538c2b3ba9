import { expect, test } from 'vitest';
import { attend, describeCommand, matmul, matmulFloat, matrixBytes, opcodes, pageBytes } from './index.ts';

const matrix = { layout: 'q4x32', rows: 96, columns: 64, address: 1 } as const;

test('a product reads its weights once and does two operations for every weight and token', () => {
  const product = { matrix, n: 5, out: 2, stride: 96, bias: 3, accumulate: true };
  const work = { bytes: matrixBytes('q4x32', 96, 64), ops: 2 * 5 * 96 * 64 };
  expect(describeCommand(matmul({ q: 4, meta: 5 }, product), 0)).toEqual({
    kernel: 'matmul',
    shape: '64 → 96, q4x32',
    work: { ...work, arithmetic: 'integer' },
  });
  expect(describeCommand(matmulFloat(4, product), 0).work).toEqual({ ...work, arithmetic: 'float' });
});

test.each([
  ['all keys', 0, 100 + 99 + 98, 100],
  ['a window', 10, 30, 12],
])('attention sees %s', (_, window, pairs, slots) => {
  const call = {
    queries: 1,
    out: 2,
    n: 3,
    h: 6,
    g: 2,
    d: 32,
    heads: 3,
    slots: 100,
    positions: 4,
    scale: 1,
    partials: 5,
  };
  const described = describeCommand(attend({ ...call, window, format: 'q8', mayRound: true }), 100);
  expect(described).toEqual({
    kernel: 'attend',
    shape: 'q8',
    work: {
      bytes: 2 * Math.ceil(slots / 32) * pageBytes('q8', 32),
      ops: 4 * 6 * 32 * pairs,
      arithmetic: 'integer',
    },
  });
  expect(describeCommand(attend({ ...call, window, format: 'q8', mayRound: false }), 100).work?.arithmetic).toBe(
    'float',
  );
});

test('every opcode has a name, and one that is unknown has no work', () => {
  for (const [kernel, opcode] of Object.entries(opcodes)) {
    expect(describeCommand({ opcode, words: [], join: true }, 1).kernel).toBe(kernel);
  }
  expect(describeCommand({ opcode: 99, words: [], join: true }, 1)).toEqual({ kernel: 'opcode 99', shape: '' });
});
