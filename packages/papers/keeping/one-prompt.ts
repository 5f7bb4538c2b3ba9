import type { Keep, Model, OpenOptions, Session } from 'loci';

/**
 * A prompt that is read once, with everything, and then cut by one keep method after the other: each works on a fork of the
 * session, from what is read next on. For methods that read prompts with everything and choose when they end; undefined
 * keeps everything.
 */
export async function underEach<T>(
  model: Model,
  context: Int32Array,
  keeps: readonly (Keep | undefined)[],
  options: Pick<OpenOptions, 'precision' | 'store'>,
  work: (fork: Session) => Promise<T>,
  done: (share: number) => void = () => {},
): Promise<readonly T[]> {
  let chosen: Keep | undefined;
  const session = await model.open({
    ...options,
    keep: {
      ...{ axis: 'keep', name: 'one-of-several', spec: 'one-of-several', needs: { decides: ['slots', 'sight'] } },
      exactPrompt: true,
      open(host) {
        const everything = { fork: () => chosen?.open(host) ?? everything, close: () => {} };
        return everything;
      },
    },
  });
  try {
    await session.prefill({ ids: context });
    const found: T[] = [];
    for (const [i, keep] of keeps.entries()) {
      chosen = keep;
      const fork = session.fork();
      try {
        found.push(await work(fork));
      } finally {
        fork.close();
      }
      done((i + 1) / keeps.length);
    }
    return found;
  } finally {
    session.close();
  }
}

/** Losses of an answer behind such a prompt: of its first token they know, and its losses are those of the tokens behind it. */
export function answerLosses(
  model: Model,
  { context, answer }: { readonly context: Int32Array; readonly answer: Int32Array },
  keeps: readonly (Keep | undefined)[],
  options: Pick<OpenOptions, 'precision' | 'store'> = {},
  done?: (share: number) => void,
): Promise<readonly Float64Array[]> {
  const prompt = { ids: Int32Array.of(...context, ...answer.subarray(0, 1)) };
  const losses = async (fork: Session) => {
    const [one] = await fork.scoreContinuations(prompt, [answer.subarray(1)]);
    return one ?? new Float64Array();
  };
  return underEach(model, context, keeps, options, losses, done);
}

/**
 * Texts that are generated behind such a prompt and a question, of which methods know the first token when they choose: they
 * are query-agnostic.
 */
export function answersToQuestion(
  model: Model,
  { context, question, maxTokens }: { context: Int32Array; question: Int32Array; maxTokens: number },
  keeps: readonly (Keep | undefined)[],
  options: Pick<OpenOptions, 'precision' | 'store'> = {},
  done?: (share: number) => void,
): Promise<readonly string[]> {
  const answer = async (fork: Session) => {
    await fork.prefill({ ids: Int32Array.of(...context, ...question.subarray(0, 1)) });
    return (await fork.complete({ ids: Int32Array.of(...context, ...question) }, { maxTokens })).text;
  };
  return underEach(model, context, keeps, options, answer, done);
}
