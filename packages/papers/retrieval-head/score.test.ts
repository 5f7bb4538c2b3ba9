import { fc, test as property } from '@fast-check/vitest';
import { LociError } from 'loci';
import { expect, test } from 'vitest';
import { answered, handBuilt, scoresOf } from './hand-built.ts';
import { summarize } from './head-probe.ts';

test.each(handBuilt)('$name scores $score', ({ given, score, official }) => {
  expect(scoresOf(given)).toMatchObject({ score, official });
});

test('the soft score is the attention on the place of the token, over the tokens that the needle has', () => {
  expect(scoresOf(answered([2, 3])).soft).toBe(1);
  expect(scoresOf(answered([2, 2])).soft).toBe(0.5);
  expect(scoresOf(answered([2, 0], [11, 99])).soft).toBe(1);
  expect(scoresOf(answered([2], [99])).soft).toBe(0);
});

property.prop([fc.array(fc.tuple(fc.integer({ min: -1, max: 5 }), fc.integer({ min: 10, max: 14 })))])(
  'a score is a share, at most what the official code adds up',
  (steps) => {
    const { score, official } = scoresOf(
      answered(
        steps.map(([position]) => position),
        steps.map(([, token]) => token),
      ),
    );
    expect(score).toBeGreaterThanOrEqual(0);
    expect(score).toBeLessThanOrEqual(1);
    expect(official).toBeGreaterThanOrEqual(score);
  },
);

test.each([
  [2, 2],
  [-1, 2],
  [4, 7],
])('a needle at [%i, %i) is refused', (start, end) => {
  expect(() => scoresOf({ ...answered([]), needle: { start, end } })).toThrow(LociError);
});

test('answers of which none succeeded are not measurable', () => {
  const none = { score: new Float64Array(1), official: new Float64Array(1), soft: new Float64Array(1) };
  const failed = { id: '', text: '', rouge: 0, exact: false, free: none, forced: none };
  expect(() => summarize([failed], 'free-running')).toThrow('not measurable');
  expect(() => summarize([])).toThrow('not measurable');
  expect(summarize([failed])).toMatchObject({ mode: 'teacher-forced', instances: 1, answered: 0, scores: [0] });
});
