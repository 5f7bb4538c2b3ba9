import { recall, rouge1Recall, type TaskCase } from '@loci/evaluate';
import type { Model, OpenOptions, Probe, Session } from 'loci';
import { type InstanceOptions, instances, promptOf } from './instances.ts';
import { type AttentionRow, AttentionRows, highestSlot } from './rows.ts';
import { type AnswerScores, type Look, scoreAnswer, type TokenSpan } from './score.ts';

export interface MeasureOptions extends InstanceOptions {
  /** How the sessions compute, and the methods at work in them. */
  readonly open?: Omit<OpenOptions, 'probes'>;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

/** One prompt, answered freely and with the right answer given token by token. */
export interface Instance {
  readonly id: string;
  /** What the model said. */
  readonly text: string;
  /** ROUGE-1 recall of the value in it, and whether it is there word for word. */
  readonly rouge: number;
  readonly exact: boolean;
  readonly free: AnswerScores;
  readonly forced: AnswerScores;
}

/** Half of the needle's words must be in an answer that counts. */
export const leastRecall = 0.5;

/** Asks a model about needles and scores every head by what it looked at meanwhile. Query-agnostic: nothing is dropped. */
export async function measure(model: Model, options: MeasureOptions): Promise<readonly Instance[]> {
  const found: Instance[] = [];
  for (const one of instances(model, options)) {
    options.onProgress?.(found.length, options.count);
    found.push(await measureCase(model, one, options));
  }
  options.onProgress?.(found.length, options.count);
  return found;
}

/** @throws LociError `bad-option` for a case without a needle, `aborted`. */
export async function measureCase(
  model: Model,
  one: TaskCase,
  { open, signal }: Pick<MeasureOptions, 'open' | 'signal'>,
): Promise<Instance> {
  const { ids, value } = promptOf(one);
  const looks = new Looks(model, value);
  const session = await model.open({ ...open, probes: [looks.probe] });
  try {
    const { layers, heads } = model.arch;
    const score = (tokens: ArrayLike<number>) => {
      const prompt = { prompt: ids, needle: value };
      const answer = scoreAnswer(
        { ...prompt, tokens, looks: looks.take(ids.length - 1, tokens.length) },
        layers.length * heads,
      );
      return withinReach(model, value, ids.length - 1, answer);
    };
    await session.scoreContinuations({ ids }, [one.answer], { signal });
    const forced = score(one.answer);
    const { text, ids: tokens } = await complete(session, ids, one, signal);
    const reference = one.accepted.join(' ');
    return {
      ...{ id: one.id, text, rouge: rouge1Recall(text, reference), exact: recall(text, one.accepted) === 1 },
      ...{ free: score(tokens), forced },
    };
  } finally {
    session.close();
  }
}

/** An answer as the paper lets it be: greedy, to the end of the line. */
export function complete(session: Session, ids: Int32Array, { maxTokens }: TaskCase, signal?: AbortSignal) {
  return session.complete({ ids }, { maxTokens: Math.min(50, maxTokens), stop: ['\n'], ...(signal && { signal }) });
}

/** What was looked at from each position on, until it is read there again. */
class Looks {
  readonly probe: Probe;
  readonly #model: Model;
  readonly #needle: TokenSpan;
  readonly #at = new Map<number, Look>();

  constructor(model: Model, needle: TokenSpan) {
    this.#model = model;
    this.#needle = needle;
    this.probe = {
      ...{ axis: 'probe', name: 'retrieval-head', spec: 'retrieval-head', needs: {} },
      open: (host) => new AttentionRows(host, (row) => this.#at.set(row.position, this.#look(row))),
    };
  }

  /** Of so many answer tokens, the first of which was produced at `position`. */
  take(position: number, tokens: number): readonly Look[] {
    return Array.from({ length: tokens }, (_, t) => this.#at.get(position + t)).filter((look) => look !== undefined);
  }

  #look(row: AttentionRow): Look {
    const { layers, heads } = this.#model.arch;
    const { start, end } = this.#needle;
    const top = new Int32Array(layers.length * heads);
    const onNeedle = new Float32Array(top.length * (end - start));
    for (let index = 0; index < top.length; index++) {
      const [layer, head] = [Math.floor(index / heads), index % heads];
      const weights = row.weights(layer, head);
      const positions = row.positions(layer, head);
      const slot = highestSlot(weights);
      top[index] = positions?.[slot] ?? slot;
      for (let position = start; position < end; position++) {
        const at = positions ? positions.indexOf(position) : position;
        if (at >= 0) onNeedle[index * (end - start) + position - start] = weights[at] ?? 0;
      }
    }
    return { top, onNeedle };
  }
}

/** NaN for heads of layers whose window ends before the needle: they are not asked. */
function withinReach(model: Model, needle: TokenSpan, position: number, scores: AnswerScores): AnswerScores {
  const { layers, heads } = model.arch;
  const known = (values: Float64Array) =>
    values.map((value, index) => {
      const window = layers[Math.floor(index / heads)]?.window ?? 0;
      return window > 0 && position - needle.end + 1 >= window ? Number.NaN : value;
    });
  return { score: known(scores.score), official: known(scores.official), soft: known(scores.soft) };
}
