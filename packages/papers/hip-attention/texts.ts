import { mean, perplexity, type TaskCase, type TextName, type Workbench } from '@loci/evaluate';
import { type Attend, dense, type Model, type OpenOptions, type Session } from 'loci';
import { inSession } from '../methods/in-session.ts';
import { parseMethod } from '../registry.ts';
import { behindPrompt } from './behind.ts';

/** Tokens of item 5's texts: an eighth of them is whole pages. */
export function lengthOf({ scale }: Workbench): number {
  return scale === 'quick' ? 4096 : 7936;
}

/** So many tokens of a book. */
export function book(model: Model, length: number, text: TextName = 'moby-dick', number = 0): Int32Array {
  const { context, answer } = perplexity(model, { length, text }, number);
  return Int32Array.from([...context, ...answer]);
}

export interface Gains {
  readonly [name: string]: number;
  readonly dense: number;
  readonly sparse: number;
  readonly decode: number;
  /** The same with the paper's beam. */
  readonly narrow: number;
  readonly prefill: number;
  readonly near: number;
}

/** What a needle is worth to the answer, in nats per token, with everything, with a method, and with sinks and a window. */
export async function gainsOf(model: Model, one: TaskCase, spec: string, near: string): Promise<Gains> {
  const attend = parseMethod.attend(spec);
  const { prompt, filled, answer } = plantedAndFilled(model, one);
  const loss = (session: Session, ids: Int32Array) => answerLoss(session, ids, answer);
  const gain = (options: OpenOptions) =>
    inSession(model, options, (session) => gainIn(session, prompt, filled, answer));
  const behind = (ids: Int32Array) =>
    behindPrompt(model, ids, async (next) => {
      const of = async (attend: Attend) => {
        const session = next(attend);
        try {
          return await loss(session, ids);
        } finally {
          session.close();
        }
      };
      return {
        dense: await of(dense),
        decode: await of(attend),
        narrow: await of(parseMethod.attend(`${spec},beam=1`)),
      };
    });
  const [planted, without] = [await behind(prompt), await behind(filled)];
  const keep = parseMethod.keep(near);
  return {
    dense: without.dense - planted.dense,
    decode: without.decode - planted.decode,
    narrow: without.narrow - planted.narrow,
    sparse: await gain({ attend }),
    prefill: await gain({ attend: parseMethod.attend(`${spec},sparse=prefill`) }),
    near: await gain({ ...(keep && { keep }) }),
  };
}

/** A prompt with its needle, and the same with filler in its place. */
export function plantedAndFilled(model: Model, { context, question, answer, spans }: TaskCase) {
  const span = spans.find(({ kind }) => kind === 'needle') ?? { start: 0, end: 0 };
  const prompt = Int32Array.from([...context, ...question]);
  const filled = prompt.slice();
  filled.set(book(model, span.end - span.start, 'frankenstein'), span.start);
  return { prompt, filled, answer };
}

async function answerLoss(session: Session, ids: Int32Array, answer: TaskCase['answer']): Promise<number> {
  const [losses = new Float64Array()] = await session.scoreContinuations({ ids }, [answer]);
  return mean([...losses]);
}

/** By how much the needle makes the answer likelier, in nats per token. */
export async function gainIn(session: Session, prompt: Int32Array, filled: Int32Array, answer: TaskCase['answer']) {
  const planted = await answerLoss(session, prompt, answer);
  return (await answerLoss(session, filled, answer)) - planted;
}

/** Mean loss of a text of a book behind its first quarter, under an attend method; items that ask for the same share it. */
export function lossOf(workbench: Workbench, number: number, spec: string): Promise<number> {
  const length = lengthOf(workbench);
  return workbench.once(`loss ${spec} ${length} ${number}`, async () => {
    const model = await workbench.model();
    const ids = book(model, length, number % 2 === 0 ? 'dracula' : 'frankenstein', number);
    return inSession(model, { attend: parseMethod.attend(spec) }, async (session) => {
      const { losses } = await session.score({ ids });
      return mean([...losses.subarray(length / 4)]);
    });
  });
}
