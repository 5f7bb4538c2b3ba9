import { LociError } from '../errors.ts';

/** How the next token is chosen from the logits. Steps apply in this order; a step at its neutral value does nothing. */
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

interface Candidate {
  readonly id: number;
  readonly logit: number;
}

/** Chooses tokens for one generation. */
export class Sampler {
  readonly #options: Required<Omit<SamplingOptions, 'logitBias'>> & { readonly logitBias: ReadonlyMap<number, number> };
  #state: number;

  /** @throws LociError `bad-option` naming the option, the value and the range. */
  constructor(options: SamplingOptions = {}) {
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
    this.#state = (seed ^ Math.floor(seed / 2 ** 32)) >>> 0;
  }

  /** Whether the next token is the most likely one, whatever came before. */
  get isGreedy(): boolean {
    const { temperature, repetitionPenalty, presencePenalty, logitBias } = this.#options;
    return temperature === 0 && repetitionPenalty === 1 && presencePenalty === 0 && logitBias.size === 0;
  }

  /**
   * The next token. `seen` are the prompt's and the generated ids, `generated` the latter alone.
   * @throws LociError `bad-numbers` when the logits hold NaN or no finite number at all.
   */
  sample(logits: Float32Array, seen: ReadonlySet<number>, generated: ReadonlySet<number>): number {
    const adjusted = this.#adjust(logits, seen, generated);
    const best = mostLikely(adjusted);
    if (this.#options.temperature === 0) return best;
    return this.#draw(this.#nucleus(adjusted, best));
  }

  #adjust(logits: Float32Array, seen: ReadonlySet<number>, generated: ReadonlySet<number>): Float32Array {
    const { repetitionPenalty, presencePenalty, logitBias } = this.#options;
    if (repetitionPenalty === 1 && presencePenalty === 0 && logitBias.size === 0) return logits;
    const adjusted = logits.slice();
    if (repetitionPenalty !== 1) {
      for (const id of seen) {
        const logit = adjusted[id];
        if (logit !== undefined) adjusted[id] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
      }
    }
    for (const id of generated) adjusted[id] = (adjusted[id] ?? 0) - presencePenalty;
    for (const [id, bias] of logitBias) {
      const logit = adjusted[id];
      if (logit === undefined)
        throw new LociError('bad-option', `logitBias names token ${id}, the last is ${logits.length - 1}`);
      adjusted[id] = logit + bias;
    }
    return adjusted;
  }

  /** The tokens that may be drawn with their probabilities, most likely first. */
  #nucleus(logits: Float32Array, best: number): { readonly id: number; readonly weight: number }[] {
    const { temperature, topK, topP, minP } = this.#options;
    const top = logits[best] ?? 0;
    // A token e⁻³⁰ times as likely as the best cannot be drawn by a 32-bit number; leaving it out keeps the sort short.
    const floor = Math.max(Math.log(minP), -30) * temperature;
    const candidates: Candidate[] = [];
    for (const [id, logit] of logits.entries()) if (logit - top >= floor) candidates.push({ id, logit });
    candidates.sort((a, b) => b.logit - a.logit || a.id - b.id);
    if (topK > 0) candidates.length = Math.min(candidates.length, topK);
    const weighted = candidates.map(({ id, logit }) => ({ id, weight: Math.exp((logit - top) / temperature) }));
    const total = weighted.reduce((sum, { weight }) => sum + weight, 0);
    let mass = 0;
    const end = weighted.findIndex(({ weight }) => {
      mass += weight;
      return mass >= topP * total;
    });
    return end < 0 ? weighted : weighted.slice(0, end + 1);
  }

  #draw(weighted: readonly { readonly id: number; readonly weight: number }[]): number {
    const total = weighted.reduce((sum, { weight }) => sum + weight, 0);
    let left = this.#random() * total;
    for (const { id, weight } of weighted) {
      left -= weight;
      if (left < 0) return id;
    }
    return weighted[weighted.length - 1]?.id ?? 0;
  }

  /** Uniform in [0, 1): SplitMix32, enough for drawing tokens and the same everywhere. */
  #random(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  }
}

/** Index of the largest logit, the first where several are equal. */
function mostLikely(logits: Float32Array): number {
  let best = -1;
  let top = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] ?? 0;
    if (Number.isNaN(logit)) {
      throw new LociError('bad-numbers', `the model computed NaN for token ${id}; its weights may be damaged`);
    }
    if (logit > top) {
      top = logit;
      best = id;
    }
  }
  if (best < 0) throw new LociError('bad-numbers', 'the model computed −∞ for every token; its weights may be damaged');
  return best;
}
