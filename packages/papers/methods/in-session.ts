import { type LoadModelOptions, loadModel, type Model, type OpenOptions, type Session } from 'loci';

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

/** Works with the model of a file, which is closed behind the work. */
export async function inModel<T>(
  path: string,
  options: LoadModelOptions,
  work: (model: Model) => Promise<T>,
): Promise<T> {
  const model = await loadModel(path, options);
  try {
    return await work(model);
  } finally {
    await model.close();
  }
}
