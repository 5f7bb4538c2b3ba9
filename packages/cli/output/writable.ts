import { open } from 'node:fs/promises';

/** Finds out that a file cannot be written before the work whose result goes there; what is in it stays. */
export async function mustBeWritable(...paths: readonly (string | undefined)[]): Promise<void> {
  for (const path of paths) if (path !== undefined) await (await open(path, 'a')).close();
}
