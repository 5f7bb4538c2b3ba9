import { type Command, command, floatWord } from '../command.ts';

/** A change of one logit. */
export interface Adjustment {
  readonly id: number;
  /** Divides a positive and multiplies a negative logit; neutral: 1. */
  readonly penalty: number;
  /** Added afterwards. */
  readonly shift: number;
}

/**
 * How a token is chosen from logits. Of those that are kept it is the one at which their cumulated probabilities, the most
 * likely first, reach `draw`.
 */
export interface Choice {
  readonly adjustments: readonly Adjustment[];
  /** Divides the logits; 0 takes the largest, the first of equal ones. */
  readonly temperature: number;
  /** Keeps tokens at least this likely relative to the most likely one; 0: all. */
  readonly minP: number;
  /** Then keeps the k most likely; 0: all. */
  readonly topK: number;
  /** Then keeps the fewest whose probabilities add up to p. */
  readonly topP: number;
  /** 0 … 2³² − 1, uniformly drawn. */
  readonly draw: number;
}

/** The most likely token. */
export const mostLikely: Choice = { adjustments: [], temperature: 0, minP: 0, topK: 0, topP: 1, draw: 0 };

/** A token e⁻³⁰ times as likely as the best cannot be drawn by a 32-bit number. In nats. */
export const farthest = 30;

export const choiceWordCount = 8;
export const adjustmentWordCount = 3;

/** The words of one choice, whose adjustments lie at an address. */
export function choiceWords(choice: Choice, adjustments: number): readonly number[] {
  const { temperature, minP, topK, topP, draw } = choice;
  const reach = Math.min(farthest, -Math.log(minP));
  const limits = [Math.min(topK, 2 ** 30), floatWord(topP), floatWord(reach)];
  return [floatWord(temperature), ...limits, draw | 0, adjustments, choice.adjustments.length, 0];
}

export function adjustmentWords(adjustments: readonly Adjustment[]): Int32Array {
  const words = new Int32Array(adjustments.length * adjustmentWordCount);
  const floats = new Float32Array(words.buffer);
  let at = 0;
  for (const { id, penalty, shift } of adjustments) {
    words[at] = id;
    floats[at + 1] = penalty;
    floats[at + 2] = shift;
    at += adjustmentWordCount;
  }
  return words;
}

/** Bytes of scratch a thread needs for rows of so many columns. */
export function chooseScratch(columns: number): number {
  return 64 + 8 * columns;
}

interface Choose {
  /** Address of float32 [n, stride], which are adjusted in place. */
  readonly x: number;
  readonly stride: number;
  readonly n: number;
  readonly columns: number;
  /** Address of the words of n choices. */
  readonly choices: number;
  /** Address of int32 [n]. */
  readonly out: number;
}

/** Chooses a column of every row; −1 where a row holds a NaN or nothing above −∞. */
export function choose({ x, stride, n, columns, choices, out }: Choose): Command {
  return command('choose', [x, stride, n, columns, choices, out]);
}
