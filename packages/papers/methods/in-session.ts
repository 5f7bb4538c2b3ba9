import type { Model, OpenOptions, Session } from 'loci';

/** Works with a session that is closed behind the work, whatever becomes of it. */
export async function inSession<T>(
  model: Model,
  options: OpenOptions,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await model.open(options);
  try {
    return await work(session);
  } finally {
    session.close();
  }
}
