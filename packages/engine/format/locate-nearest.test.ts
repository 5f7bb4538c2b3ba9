import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nearestNames } from './locate-nearest.ts';

const names = ['smollm2-135m-instruct', 'gemma3-270m', 'Qwen/Qwen2.5-0.5B', 'x'];

test('one slip anywhere in a name still finds it first', () => {
  fc.assert(
    fc.property(fc.nat(20), fc.constantFrom('', 'z', 'zz'), (at, put) => {
      const slip = `${names[0]?.slice(0, at)}${put}${names[0]?.slice(at + 1)}`;
      expect(nearestNames(slip, names)[0]).toBe(names[0]);
    }),
  );
});

test('a part of a name finds it, whatever its case', () => {
  expect(nearestNames('QWEN2.5', names)).toEqual(['Qwen/Qwen2.5-0.5B']);
});

test('the beginning of a name finds it, with a slip in it', () => {
  expect(nearestNames('smolm2', names)).toEqual(['smollm2-135m-instruct']);
  expect(nearestNames('gema', names)).toEqual(['gemma3-270m']);
});

test.each(['mistral-large', 'a', 'ab', 'y'])('%s resembles nothing', (name) => {
  expect(nearestNames(name, names)).toEqual([]);
});
