import { expect, test } from 'vitest';
import { cases } from '../testing/cases.ts';
import { instance, weighted } from '../testing/numbers.ts';
import * as f from './index.ts';
import { evaluate, gradients } from './index.ts';

test.each(cases)('the derivative of $name is what finite differences say', (one) => {
  const { y, parameters, numbers } = instance(one);
  const loss = weighted(y);
  const found = evaluate(gradients(loss, parameters), numbers);
  for (const [p, { op }] of parameters.entries()) {
    const name = op.kind === 'parameter' ? op.name : '';
    const own = Float64Array.from(numbers[name] ?? []);
    // Every element of small arrays, some of large ones.
    const stride = Math.max(1, Math.floor(own.length / 40));
    for (let i = 0; i < own.length; i += stride) {
      const at = (shift: number) => {
        const moved = own.slice();
        moved[i] = (moved[i] ?? 0) + shift;
        return evaluate([loss], { ...numbers, [name]: moved })[0]?.[0] ?? Number.NaN;
      };
      const step = 1e-5;
      const difference = (at(step) - at(-step)) / (2 * step);
      const is = found[p]?.[i] ?? Number.NaN;
      expect(Math.abs(is - difference), `${name}[${i}]: ${is}, not ${difference}`).toBeLessThan(
        1e-6 * (1 + Math.abs(difference)),
      );
    }
  }
});

test('only numbers have gradients, and only by what they depend on', () => {
  const [a, b] = [f.parameter('a', [2]), f.parameter('b', [2])];
  expect(() => gradients(a, [a])).toThrow('only a number has a gradient, not [2]');
  expect(() => gradients(f.sumAll(a), [b])).toThrow('the loss does not depend on b');
});

test('shapes that do not fit are refused by name', () => {
  const [a, b] = [f.parameter('a', [2, 3]), f.parameter('b', [4, 3])];
  expect(() => f.add(a, b)).toThrow('add: shapes [2, 3] and [4, 3]');
  expect(() => f.matmul(a, b)).toThrow('cannot be multiplied: shapes [2, 3] and [4, 3]');
  expect(() => f.reshape(a, [4])).toThrow('cannot become [4]: shapes [2, 3]');
  expect(() => f.slice(a, 1, 2, 4)).toThrow('slice 2 to 4 of axis 1: shapes [2, 3]');
  expect(() => f.softmax(a, { window: 2 })).toThrow('a window of 2 keys wants a causal mask');
});
