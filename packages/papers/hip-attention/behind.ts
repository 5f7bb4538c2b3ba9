import { type Attend, dense, type Model, type Session } from 'loci';

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
        const everything = { fork: () => chosen.open?.(host) ?? everything, close: () => {} };
        return everything;
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
