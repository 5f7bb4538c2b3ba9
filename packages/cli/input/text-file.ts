import { readFile } from 'node:fs/promises';
import { LociError } from 'loci';

/**
 * The text of a UTF-8 file, or of stdin for `-`.
 * @throws LociError `not-found`; `bad-file` when it cannot be read, is empty or is not text.
 */
export async function readText(path: string): Promise<string> {
  const name = path === '-' ? 'stdin' : path;
  const data = await readBytes(path, name);
  const binary = data.indexOf(0);
  if (startsUtf16(data)) throw bad(name, 'is UTF-16 text; save it as UTF-8');
  if (binary >= 0) throw bad(name, `is not a text: byte ${binary} is 0; convert it to plain UTF-8 text`);
  const text = new TextDecoder().decode(data);
  const broken = brokenAt(text, data);
  if (broken !== undefined)
    throw bad(name, `is not UTF-8 text: byte ${broken} begins no character; convert it to UTF-8`);
  if (text.trim() === '') throw bad(name, text === '' ? 'is empty' : 'holds nothing but white space');
  return text;
}

async function readBytes(path: string, name: string): Promise<Buffer> {
  try {
    if (path !== '-') return await readFile(path);
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new LociError('not-found', `${name}: there is no such file`, { cause: error });
    }
    if (code === 'EISDIR') throw bad(name, 'is a directory; give a text file');
    throw bad(name, `cannot be read (${error instanceof Error ? error.message : String(error)})`);
  }
}

function startsUtf16(data: Buffer): boolean {
  const [first, second] = data;
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
}

/** The place of the first bytes that the decoder could not read. A file may hold U+FFFD itself, too. */
function brokenAt(text: string, data: Buffer): number | undefined {
  const mark = Buffer.from('\ufffd');
  // The decoder drops a byte order mark.
  let at = data.subarray(0, 3).equals(Buffer.from('\ufeff')) ? 3 : 0;
  let done = 0;
  for (let next = text.indexOf('\ufffd'); next >= 0; next = text.indexOf('\ufffd', done)) {
    at += Buffer.byteLength(text.slice(done, next));
    if (!data.subarray(at, at + mark.length).equals(mark)) return at;
    at += mark.length;
    done = next + 1;
  }
  return undefined;
}

function bad(name: string, reason: string): LociError {
  return new LociError('bad-file', `${name}: ${reason}`);
}
