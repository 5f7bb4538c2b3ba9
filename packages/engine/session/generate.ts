import { LociError } from '../errors.ts';
import type { Model } from './model.ts';
import { Sampler, type SamplingOptions } from './sampler.ts';
import type { ReadOptions, Sequence } from './sequence.ts';
import { StopWatch } from './stop.ts';

/** Tokens that are offered to be taken ahead, at most. */
const mostAhead = 63;

export interface GenerateOptions extends SamplingOptions, ReadOptions {
  /** Tokens to generate at most. The default is what the window leaves. */
  readonly maxTokens?: number;
  /** Strings that end the text; they are not part of it. */
  readonly stop?: readonly string[];
  /** Goes on after an end-of-text token, as benchmarks ask for. */
  readonly ignoreEnd?: boolean;
}

/** One generated token and the text that became certain with it (whole characters, no part of a stop string). */
export interface Token {
  /** Absent in the last piece, which holds what was held back before the text ended. */
  readonly id?: number;
  readonly text: string;
}

export interface GenerationResult {
  readonly text: string;
  readonly ids: readonly number[];
  /** `end`: the model ended its text; `stop`: a stop string appeared; `length`: maxTokens; `window`: no room is left. */
  readonly stopReason: 'end' | 'stop' | 'length' | 'window';
  readonly promptTokens: number;
  /** Of them, how many were in the cache already. */
  readonly reusedTokens: number;
  /** Time to the first token's logits, reading included. */
  readonly prefillMs: number;
  readonly prefillTokensPerSecond: number;
  /** Mean over the tokens after the first; 0 when there are none. */
  readonly decodeMsPerToken: number;
  readonly kvBytes: number;
}

/** A prompt that has been read: the logits behind it and what reading cost. */
export interface Prefilled {
  readonly logits: Float32Array;
  readonly promptTokens: number;
  readonly reusedTokens: number;
  readonly prefillMs: number;
}

/** Generates from a read prompt, token by token. What is generated is in the sequence, but for the last token. */
export async function* generate(
  sequence: Sequence,
  { tokenizer, arch }: Pick<Model, 'tokenizer' | 'arch'>,
  prefill: () => Promise<Prefilled>,
  options: GenerateOptions,
): AsyncGenerator<Token, GenerationResult> {
  const { maxTokens = Number.POSITIVE_INFINITY, signal } = options;
  if (!(maxTokens >= 0)) throw new LociError('bad-option', `maxTokens is ${maxTokens}; it must be 0 or more`);
  const sampler = new Sampler(options, arch.vocabulary);
  const read = await prefill();
  sampler.begin(sequence.ids);
  const detokenizer = tokenizer.detokenizer({ skipSpecial: true, continues: true });
  const watch = new StopWatch(options.stop);
  const ends = options.ignoreEnd ? [] : [...tokenizer.endOfGeneration];
  const ids: number[] = [];
  let text = '';
  let next: number | undefined;
  let stopReason: GenerationResult['stopReason'] = 'length';
  let decodeMs = 0;
  try {
    while (ids.length < maxTokens) {
      const id = next ?? (await sequence.choose(read.logits, sampler.choice()));
      if (id < 0) throw new LociError('bad-numbers', 'the model computed NaN; its weights may be damaged');
      if (ends.includes(id)) {
        stopReason = 'end';
        break;
      }
      ids.push(id);
      sampler.add(id);
      const piece = watch.push(detokenizer.push(id));
      text += piece.text;
      yield { id, text: piece.text };
      if (piece.stopped) {
        stopReason = 'stop';
        break;
      }
      if (ids.length >= maxTokens) break;
      if (sequence.length >= sequence.window) {
        stopReason = 'window';
        break;
      }
      const started = performance.now();
      const input = { kind: 'ids', ids: Int32Array.of(id) } as const;
      const choice = sampler.choice();
      const left = Math.min(maxTokens - ids.length, sequence.window - sequence.length);
      const ahead = { choices: sampler.ahead(Math.min(left - 1, mostAhead)), ends };
      const wants = { behindPrompt: true, choice, ahead };
      const step = await sequence.read(input, wants, { signal });
      decodeMs += performance.now() - started;
      next = step.chosen;
    }
  } finally {
    sequence.dropAhead();
  }
  if (stopReason !== 'stop') {
    const rest = watch.push(detokenizer.flush());
    const tail = rest.text + (rest.stopped ? '' : watch.flush());
    if (rest.stopped) stopReason = 'stop';
    text += tail;
    if (tail !== '') yield { text: tail };
  }
  const steps = Math.max(1, ids.length - 1);
  return {
    text,
    ids,
    stopReason,
    promptTokens: read.promptTokens,
    reusedTokens: read.reusedTokens,
    prefillMs: read.prefillMs,
    prefillTokensPerSecond: ((read.promptTokens - read.reusedTokens) / read.prefillMs) * 1000,
    decodeMsPerToken: decodeMs / steps,
    kvBytes: sequence.cache.bytes,
  };
}
