import { usage } from '../options/option.ts';

/** What a file of JSON holds. @throws LociError `bad-option` when there is none, or it is something else. */
export function parsedJson(file: string, content: string | undefined): unknown {
  if (content === undefined) throw usage(`${file}: there is no such file`);
  try {
    return JSON.parse(content);
  } catch (error) {
    throw usage(`${file} is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}
