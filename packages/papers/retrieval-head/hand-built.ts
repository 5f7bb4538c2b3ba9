import { type Answered, type Look, scoreAnswer } from './score.ts';

/** A prompt of six tokens whose needle is 11 12 at [2, 4), and which has 11 a second time, outside of it. */
const prompt = [10, 11, 11, 12, 13, 14];
const needle = { start: 2, end: 4 };

/** The answer 11 12, so many times, by one head that looks at these positions. */
export function answered(positions: readonly number[], tokens: readonly number[] = [11, 12]): Answered {
  const looks = positions.map(
    (position): Look => ({
      top: Int32Array.of(position),
      onNeedle: Float32Array.from([2, 3], (place) => (place === position ? 1 : 0)),
    }),
  );
  return { prompt, needle, tokens, looks };
}

/** The cases of the paper's definition whose scores are known. */
export const handBuilt = [
  { name: 'the right token of the needle', given: answered([2, 3]), score: 1, official: 1 },
  { name: 'one token ahead', given: answered([3, 4]), score: 0, official: 0 },
  { name: 'the right token outside the needle', given: answered([1, 4]), score: 0, official: 0 },
  { name: 'half of the needle', given: answered([2, 0]), score: 0.5, official: 0.5 },
  { name: 'the needle copied twice', given: answered([2, 3, 2, 3], [11, 12, 11, 12]), score: 1, official: 2 },
  { name: 'a place that stands for others', given: answered([-1, -1]), score: 0, official: 0 },
] as const;

export function scoresOf(given: Answered): {
  readonly score: number;
  readonly official: number;
  readonly soft: number;
} {
  const { score, official, soft } = scoreAnswer(given, 1);
  return { score: score[0] ?? Number.NaN, official: official[0] ?? Number.NaN, soft: soft[0] ?? Number.NaN };
}
