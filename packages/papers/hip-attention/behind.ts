import { type Attend, type Attending, dense, type Model, type Session } from 'loci';

/**
 * Reads a prompt once, with everything, and gives sessions that go on behind it with other attend methods: what they do
 * then is decode alone.
 */
export async function behindPrompt<T>(
  model: Model,
  ids: Int32Array,
  work: (next: (attend: Attend) => Session) => Promise<T>,
): Promise<T> {
  let chosen = dense;
  const session = await model.open({
    attend: {
      ...{ axis: 'attend', name: 'one-of-several', spec: 'one-of-several', needs: {} },
      open(host) {
        // Forks of a fork are what it is, whatever is chosen by then.
        const everything: Attending = { fork: () => everything, close: () => {} };
        return { fork: () => chosen.open?.(host) ?? everything, close: () => {} };
      },
    },
  });
  try {
    await session.prefill({ ids });
    return await work((attend) => {
      chosen = attend;
      return session.fork();
    });
  } finally {
    session.close();
  }
}
