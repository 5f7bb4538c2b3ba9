import { fc, test as property } from '@fast-check/vitest';
import { expect, test } from 'vitest';
import { exactMatch, lossesByPosition, lossGap, needleGain, recall, rouge1Recall, summarizeLosses } from './index.ts';

test('recall is the share of accepted texts, in capitals or not', () => {
  expect(recall('It is 1234567.', ['1234567'])).toBe(1);
  expect(recall('abc and DEF', ['ABC', 'def', 'ghi', 'jkl'])).toBe(0.5);
  expect(recall('', ['a'])).toBe(0);
  expect(recall('anything', [])).toBeNaN();
});

property.prop([fc.array(fc.nat(9)), fc.array(fc.nat(9), { minLength: 1 })])(
  'an answer matches exactly when it begins with the right one',
  (ids, more) => {
    expect(exactMatch([...ids, ...more], ids)).toBe(true);
    expect(exactMatch(ids, [...ids, ...more])).toBe(false);
    expect(exactMatch([...ids, 10, ...more], [...ids, 11])).toBe(false);
  },
);

test('losses are summed up with and without the first token, and by position', () => {
  expect(summarizeLosses(Float32Array.of(4, 1, 1))).toEqual({ tokens: 3, mean: 2, meanAfterFirst: 1 });
  expect(summarizeLosses([4]).meanAfterFirst).toBeNaN();
  expect(lossesByPosition([1, 3, 2, 2, 7], 2)).toEqual([2, 2, 7]);
  expect(lossesByPosition([], 2)).toEqual([]);
});

const loss = fc.double({ min: 0, max: 20, noNaN: true });

property.prop([loss, loss, fc.double({ min: 0.01, max: 20, noNaN: true })])(
  'the gain is 1 as good as dense, 0 as if there were no context, and falls by the gap',
  (dense, method, worth) => {
    const none = dense + worth;
    expect(needleGain({ method: dense, dense, none })).toBe(1);
    expect(needleGain({ method: none, dense, none })).toBeCloseTo(0, 9);
    expect((1 - needleGain({ method, dense, none })) * (none - dense)).toBeCloseTo(lossGap({ method, dense }), 6);
  },
);

test('where the context is worth nothing, no gain can be measured', () => {
  expect(needleGain({ method: 1, dense: 2, none: 2 })).toBeNaN();
});

test('ROUGE-1 recall has the values of rouge-score 0.1.2 with its stemmer', () => {
  const reference = 'take a walk in the park and have a coffee';
  expect(rouge1Recall('Take a walk in the park, and have a coffee!', reference)).toBe(1);
  expect(rouge1Recall('walking in parks', reference)).toBeCloseTo(0.3, 12);
  expect(rouge1Recall('a a a a', reference)).toBeCloseTo(0.2, 12);
  const ships = 'The sailors were running from 12 burning ships, and hoped for relational conditions';
  expect(rouge1Recall('sailor runs 12 burns ship hoping condition relate', ships)).toBeCloseTo(8 / 13, 12);
  expect(rouge1Recall('The SAILING sailors run', ships)).toBeCloseTo(3 / 13, 12);
  expect(rouge1Recall('', reference)).toBe(0);
  expect(rouge1Recall('anything', '?!')).toBeNaN();
});

property.prop([fc.array(fc.constantFrom('whale', 'whales', 'ship', 'a', '12'), { minLength: 1 }), fc.string()])(
  'ROUGE-1 recall does not depend on the order of words, and more words never lower it',
  (words, more) => {
    const reference = words.join(' ');
    expect(rouge1Recall(words.toReversed().join(', '), reference)).toBe(1);
    const part = words.slice(0, words.length >> 1).join(' ');
    expect(rouge1Recall(`${part} ${more}`, reference)).toBeGreaterThanOrEqual(rouge1Recall(part, reference));
  },
);
