import { readFile } from 'node:fs/promises';
import { usage } from '../options/option.ts';

/** What a file of JSON holds. @throws LociError `bad-option` when there is none, or it is something else. */
export async function readJson(file: string): Promise<unknown> {
  const content = await readFile(file, 'utf8').catch(() => undefined);
  if (content === undefined) throw usage(`${file}: there is no such file`);
  try {
    return JSON.parse(content);
  } catch (error) {
    throw usage(`${file} is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}
