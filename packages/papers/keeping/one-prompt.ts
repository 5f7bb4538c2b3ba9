import type { Keep, Model, OpenOptions } from 'loci';

/**
 * Losses of an answer behind a prompt that is read once, with everything, and then cut by one keep method after the other:
 * each works on a fork of the session, from the answer's first token on, and its losses are those of the tokens behind it.
 * For methods that read prompts with everything and choose when it ends; undefined keeps everything.
 */
export async function answerLosses(
  model: Model,
  { context, answer }: { readonly context: Int32Array; readonly answer: Int32Array },
  keeps: readonly (Keep | undefined)[],
  options: Pick<OpenOptions, 'precision' | 'store'> = {},
  done: (share: number) => void = () => {},
): Promise<readonly Float64Array[]> {
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
    const prompt = { ids: Int32Array.from([...context, ...answer.subarray(0, 1)]) };
    const losses: Float64Array[] = [];
    for (const [i, keep] of keeps.entries()) {
      chosen = keep;
      const fork = session.fork();
      try {
        const [one] = await fork.scoreContinuations(prompt, [answer.subarray(1)]);
        losses.push(one ?? new Float64Array());
      } finally {
        fork.close();
      }
      done((i + 1) / keeps.length);
    }
    return losses;
  } finally {
    session.close();
  }
}
