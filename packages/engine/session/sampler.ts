import type { Adjustment, Choice } from '@loci/kernels';
import { LociError } from '../errors.ts';

/**
 * How the next token is chosen from the logits: single ones are changed, then temperature, minP, topK and topP apply in this
 * order. A step at its neutral value does nothing.
 */
export interface SamplingOptions {
  /** Divides positive and multiplies negative logits of tokens already seen (Keskar et al. 2019); neutral: 1. */
  readonly repetitionPenalty?: number;
  /** Subtracted from the logits of tokens already generated; neutral: 0. */
  readonly presencePenalty?: number;
  /** Added to single logits. */
  readonly logitBias?: ReadonlyMap<number, number>;
  /** 0 (the default) takes the most likely token. */
  readonly temperature?: number;
  /** Keeps the k most likely tokens; neutral: 0. */
  readonly topK?: number;
  /** Keeps the fewest tokens whose probabilities add up to p (Holtzman et al. 2020); neutral: 1. */
  readonly topP?: number;
  /** Keeps tokens at least this likely relative to the most likely one (Nguyen et al. 2024); neutral: 0. */
  readonly minP?: number;
  /** The same seed, prompt and options give the same text. */
  readonly seed?: number;
}

/** Says how the tokens of one generation are to be chosen. */
export class Sampler {
  readonly #options: Required<Omit<SamplingOptions, 'logitBias'>> & { readonly logitBias: ReadonlyMap<number, number> };
  /** Changes of single logits, by token. */
  readonly #adjustments = new Map<number, Adjustment>();
  /** Choices that were told ahead. */
  readonly #told: Choice[] = [];
  #state: number;

  /** @throws LociError `bad-option` naming the option, the value and the range. */
  constructor(options: SamplingOptions, vocabulary: number) {
    const number = (
      name: keyof SamplingOptions,
      value: number | undefined,
      neutral: number,
      low: number,
      high: number,
    ) => {
      const chosen = value ?? neutral;
      if (!(chosen >= low && chosen <= high)) {
        throw new LociError('bad-option', `${name} is ${chosen}; it must be between ${low} and ${high}`);
      }
      return chosen;
    };
    const seed = number('seed', options.seed, 0, -(2 ** 53), 2 ** 53);
    this.#options = {
      repetitionPenalty: number('repetitionPenalty', options.repetitionPenalty, 1, 0.01, 100),
      presencePenalty: number('presencePenalty', options.presencePenalty, 0, -100, 100),
      logitBias: options.logitBias ?? new Map(),
      temperature: number('temperature', options.temperature, 0, 0, 100),
      topK: number('topK', options.topK, 0, 0, 2 ** 31),
      topP: number('topP', options.topP, 1, 0, 1),
      minP: number('minP', options.minP, 0, 0, 1),
      seed,
    };
    for (const [id, shift] of this.#options.logitBias) {
      if (!(Number.isInteger(id) && id >= 0 && id < vocabulary)) {
        throw new LociError('bad-option', `logitBias names token ${id}; there are ${vocabulary}, from 0 on`);
      }
      this.#adjust(id, { shift });
    }
    // −1 must not be 0 again.
    this.#state = (seed ^ Math.imul(Math.floor(seed / 2 ** 32), 0x85ebca6b)) >>> 0;
  }

  /** The tokens of a prompt have been read; −1 stands for none. */
  begin(ids: Iterable<number>): void {
    const { repetitionPenalty: penalty } = this.#options;
    if (penalty !== 1) for (const id of ids) this.#adjust(id, { penalty });
  }

  /** A token has been generated. */
  add(id: number): void {
    const { repetitionPenalty: penalty, presencePenalty } = this.#options;
    if (presencePenalty !== 0) this.#adjust(id, { shift: (this.#options.logitBias.get(id) ?? 0) - presencePenalty });
    if (penalty !== 1) this.#adjust(id, { penalty });
  }

  /** How the next token is chosen, by the token: every call is for another one. */
  choice(): Choice {
    return this.#told.shift() ?? this.#draw();
  }

  /** What the next calls of `choice` will give; nothing where that depends on the tokens between. */
  ahead(count: number): readonly Choice[] {
    const { repetitionPenalty, presencePenalty } = this.#options;
    if (repetitionPenalty !== 1 || presencePenalty !== 0) return [];
    while (this.#told.length < count) this.#told.push(this.#draw());
    return this.#told.slice(0, count);
  }

  #draw(): Choice {
    const { temperature, topK, topP, minP } = this.#options;
    const adjustments = [...this.#adjustments.values()];
    return { adjustments, temperature, topK, topP, minP, draw: temperature > 0 ? this.#random() : 0 };
  }

  #adjust(id: number, change: Partial<Adjustment>): void {
    if (id < 0) return;
    this.#adjustments.set(id, { id, penalty: 1, shift: 0, ...this.#adjustments.get(id), ...change });
  }

  /** Uniform in 0 … 2³² − 1: SplitMix32, enough for drawing tokens and the same everywhere. */
  #random(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }
}
