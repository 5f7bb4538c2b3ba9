import type { Encoder } from '@loci/device';
import { Random } from '@loci/evaluate/random';
import { type Host, type LayerView, LociError, type Model, type Probe, type Probing } from 'loci';
import { z } from 'zod';
import { type HeadProbe, type HeadProbeOptions, openedWith } from '../heads/head-probe.ts';
import { PickedWeights } from '../heads/picked.ts';
import type { HeadScores, HeadTable } from '../heads/scores.ts';
import { define } from '../methods/define.ts';
import { whole } from '../methods/option.ts';

/** Copies of the block in the text, the first included. */
const copies = 4;

/**
 * Which heads retrieve (Tang et al. 2024, arXiv 2407.15891, section 3): in a text that repeats every K tokens, an echo head
 * looks at earlier copies of its token, an induction head at what followed them. Both scores are shares of attention.
 */
export const induction = define<Probe, ReturnType<typeof options>>({
  axis: 'probe',
  name: 'induction',
  summary: 'how much heads look behind earlier copies of a token, in a text that repeats itself',
  options: z.object(options()),
  create: ({ k, bos }, base) => ({
    ...base,
    needs: { excludes: ['slots', 'sight'] },
    open: (host) => new Repetition(host, k, bos),
  }),
});

function options() {
  return {
    k: whole(8, 1_000_000, 512, 'tokens after which the text repeats'),
    bos: whole(0, 16, 1, 'tokens before the first copy'),
  };
}

/** Earlier copies of the token at a position; none where the text has not repeated yet, or does no more. */
export function copiesOf(position: number, k: number, bos: number): readonly number[] {
  const copy = Math.floor((position - bos) / k);
  if (copy < 1 || copy >= copies) return [];
  return Array.from({ length: copy }, (_, i) => position - (i + 1) * k);
}

export interface RepetitionScores {
  /** Induction scores, [layer][head]. */
  readonly scores: HeadTable;
  readonly echo: HeadTable;
}

class Repetition implements Probing {
  readonly #host: Host;
  readonly #k: number;
  readonly #bos: number;
  readonly #picked: PickedWeights;
  readonly #induction: Float64Array;
  readonly #echo: Float64Array;
  #rows = 0;

  constructor(host: Host, k: number, bos: number) {
    const { heads, layers } = host.arch;
    this.#host = host;
    this.#k = k;
    this.#bos = bos;
    this.#picked = new PickedWeights(host, 2 * (copies - 1));
    this.#induction = new Float64Array(layers.length * heads);
    this.#echo = new Float64Array(layers.length * heads);
  }

  attended(encoder: Encoder, view: LayerView): void {
    this.#picked.record(encoder, view, (position) =>
      copiesOf(position, this.#k, this.#bos).flatMap((at) => [at, at + 1]),
    );
  }

  ran(): void {
    const { heads } = this.#host.arch;
    this.#picked.read((layer, head, position, weights) => {
      const count = copiesOf(position, this.#k, this.#bos).length;
      if (count > 0 && layer === 0 && head === 0) this.#rows++;
      const index = layer * heads + head;
      for (let i = 0; i < count; i++) {
        this.#echo[index] = (this.#echo[index] ?? 0) + (weights[2 * i] ?? 0);
        this.#induction[index] = (this.#induction[index] ?? 0) + (weights[2 * i + 1] ?? 0);
      }
    });
    this.#picked.close();
  }

  result(): RepetitionScores {
    const { heads, layers } = this.#host.arch;
    const table = (sums: Float64Array) =>
      layers.map((_, layer) =>
        Array.from(sums.subarray(layer * heads, (layer + 1) * heads), (sum) => sum / Math.max(1, this.#rows)),
      );
    return { scores: table(this.#induction), echo: table(this.#echo) };
  }

  close(): void {
    this.#picked.close();
  }
}

/**
 * Texts of ordinary tokens by chance, none of them twice in a block, which comes `times` times behind the token that begins
 * texts. @throws LociError `bad-option`
 */
export function* repeatedTexts({ tokenizer }: Model, k: number, seed: number, times = copies): Generator<Int32Array> {
  const ordinary = Array.from({ length: tokenizer.vocabularySize }, (_, id) => id).filter(
    (id) => !tokenizer.isSpecial(id) && tokenizer.bytes(id).length > 0,
  );
  if (k < 8 || k > ordinary.length) {
    throw new LociError('bad-option', `k is ${k}; it must be from 8 to ${ordinary.length}, the tokens there are`);
  }
  const random = new Random(`induction k=${k},seed=${seed}`);
  const { bos } = tokenizer.special;
  for (;;) {
    const block = random.shuffled(ordinary).slice(0, k);
    yield Int32Array.from([...(bos === undefined ? [] : [bos]), ...Array.from({ length: times }, () => block).flat()]);
  }
}

/** The first of them. */
export function repeatedTokens(model: Model, k: number, seed: number, times = copies): Int32Array {
  const [first = new Int32Array()] = repeatedTexts(model, k, seed, times).take(1);
  return first;
}

type Measuring = Pick<HeadProbeOptions, 'open' | 'signal' | 'onProgress'>;

/** Scores of a text of which the probe believes that it repeats every k tokens behind the token that begins it. */
export async function repetitionScores(
  model: Model,
  ids: Int32Array,
  k: number,
  { open, signal, onProgress }: Measuring = {},
): Promise<RepetitionScores> {
  const bos = ids[0] === model.tokenizer.special.bos ? 1 : 0;
  const session = await model.open({ precision: 'float32', ...open, probes: [induction.with({ k, bos })] });
  try {
    await session.prefill(
      { ids },
      { signal, onProgress: ({ doneTokens, totalTokens }) => onProgress?.(doneTokens, totalTokens) },
    );
    // What a probe of ours has found is what it says.
    const found = session.found[0]?.result;
    if (!isScores(found)) throw new RangeError('the probe has found nothing');
    return found;
  } finally {
    session.close();
  }
}

function isScores(found: unknown): found is RepetitionScores {
  return typeof found === 'object' && found !== null && 'scores' in found && 'echo' in found;
}

export interface InductionOptions extends Partial<HeadProbeOptions> {
  /** Tokens after which texts repeat; 512 by default. */
  readonly k?: number;
}

/**
 * The probe's scores of a model, as a plan is made from them: means over `cases` texts, one by default, which are read in
 * float32 by default. @throws LociError `bad-option`, `too-long`, `aborted`.
 */
export async function inductionScores(
  model: Model,
  { k = 512, seed = 0, cases = 1, open = {}, signal, onProgress }: InductionOptions = {},
): Promise<HeadScores> {
  const found: RepetitionScores[] = [];
  for (const ids of repeatedTexts(model, k, seed).take(cases)) {
    const { length } = found;
    onProgress?.(length, cases);
    const share = (done: number, total: number) => onProgress?.(length + done / total, cases);
    found.push(await repetitionScores(model, ids, k, { open, signal, onProgress: share }));
  }
  const mean = (of: (scores: RepetitionScores) => HeadTable) =>
    (found[0] ? of(found[0]) : []).map((row, layer) =>
      row.map((_, head) => {
        const sum = found.reduce((total, one) => total + (of(one)[layer]?.[head] ?? Number.NaN), 0);
        return Number((sum / cases).toPrecision(5));
      }),
    );
  return {
    model: { name: model.name, fingerprint: model.fingerprint },
    made: {
      method: 'induction',
      settings: { k, copies, count: cases, ...openedWith({ precision: 'float32', ...open }) },
      seed,
    },
    of: 'heads',
    scores: mean(({ scores }) => scores),
    others: { echo: mean(({ echo }) => echo) },
  };
}

/** Induction scores as `loci heads` asks for them. */
export const inductionHeads: HeadProbe = {
  name: 'induction',
  summary: 'how much each head looks behind earlier copies of a token',
  measure: inductionScores,
};
