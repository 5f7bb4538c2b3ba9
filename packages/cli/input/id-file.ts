import { LociError } from 'loci';
import { readText } from './text-file.ts';

/**
 * The ids of a file `{ "ids": [1, 2, …] }`, as they are: nothing is put before them.
 * @throws LociError `not-found`, `bad-file` naming the first entry that is no id.
 */
export async function readIds(path: string): Promise<readonly number[]> {
  const document = parseJson(path, await readText(path));
  const ids = typeof document === 'object' && document !== null && 'ids' in document ? document.ids : undefined;
  if (!Array.isArray(ids)) throw new LociError('bad-file', `${path}: is not of the form { "ids": [1, 2, …] }`);
  if (ids.length === 0) throw new LociError('bad-file', `${path}: holds no ids`);
  const bad = ids.findIndex((id) => !Number.isInteger(id) || id < 0);
  if (bad >= 0) {
    const found = JSON.stringify(ids[bad]).slice(0, 40);
    throw new LociError('bad-file', `${path}: ids[${bad}] is ${found}; an id is a whole number, 0 or more`);
  }
  return ids;
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LociError('bad-file', `${path}: is not JSON (${reason})`, { cause: error });
  }
}
