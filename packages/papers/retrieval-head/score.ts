import { LociError } from 'loci';

/** Tokens [start, end) of a prompt. */
export interface TokenSpan {
  readonly start: number;
  readonly end: number;
}

/** What every head looked at while one token of an answer was produced. Heads are counted through all layers. */
export interface Look {
  /** Where each head's attention is largest: [heads]; −1 where a token that stands for others has it. */
  readonly top: Int32Array;
  /** Its attention on each position of the needle: [heads, |needle|]. */
  readonly onNeedle: Float32Array;
}

/** An answer and how it came about. */
export interface Answered {
  readonly prompt: ArrayLike<number>;
  /** The part of the needle that the question asks for. */
  readonly needle: TokenSpan;
  /** Tokens of the answer, and what was looked at when each of them was produced. */
  readonly tokens: ArrayLike<number>;
  readonly looks: readonly Look[];
}

/** What one answer says about every head. */
export interface AnswerScores {
  /** Share of the needle's tokens that the head copied: it looked at them most when they were produced. */
  readonly score: Float64Array;
  /** The same as the paper's code counts it: a token that is copied twice counts twice. */
  readonly official: Float64Array;
  /** Mean, over the answer's tokens that the needle has, of the attention on where it has them. */
  readonly soft: Float64Array;
}

/**
 * Retrieval scores (Wu et al. 2024, section 2) of `heads` heads. @throws LociError `bad-option` for a needle of no tokens, or
 * one that is not in the prompt.
 */
export function scoreAnswer({ prompt, needle, tokens, looks }: Answered, heads: number): AnswerScores {
  const { start, end } = needle;
  const length = end - start;
  if (!(length > 0 && start >= 0 && end <= prompt.length)) {
    throw new LociError('bad-option', `the needle is at [${start}, ${end}); the prompt has ${prompt.length} tokens`);
  }
  const copied = Array.from({ length: heads }, () => new Set<number>());
  const official = new Float64Array(heads);
  const soft = new Float64Array(heads);
  let held = 0;
  for (const [t, { top, onNeedle }] of looks.entries()) {
    const token = tokens[t];
    const places = Array.from({ length }, (_, place) => place).filter((place) => prompt[start + place] === token);
    if (places.length > 0) held++;
    for (let head = 0; head < heads; head++) {
      const position = top[head] ?? -1;
      if (position >= start && position < end && prompt[position] === token) {
        copied[head]?.add(position);
        official[head]! += 1 / length;
      }
      for (const place of places) soft[head]! += onNeedle[head * length + place] ?? 0;
    }
  }
  return {
    score: Float64Array.from(copied, ({ size }) => size / length),
    official,
    soft: soft.map((sum) => (held === 0 ? 0 : sum / held)),
  };
}
