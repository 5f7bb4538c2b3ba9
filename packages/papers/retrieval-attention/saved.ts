import { z } from 'zod';

const layer = z.object({
  counts: z.array(z.number().int().min(0)),
  norms: z.array(z.number()),
  starts: z.array(z.number().int().min(0)),
});
const schema = z.object({ used: z.number().int(), isGraph: z.boolean(), layers: z.array(layer.nullable()) });

/** An index but for its links. */
export type SavedIndex = z.output<typeof schema>;

/** @throws RangeError when it is no saved index. */
export function savedIndex(state: unknown): SavedIndex {
  const read = schema.safeParse(state);
  if (!read.success) throw new RangeError(`no saved index: ${read.error.issues[0]?.message ?? ''}`);
  return read.data;
}

/** Lists of neighbours by query head and key, each behind its length, in words of 32 bits where a number takes more than 16. */
export function packLinks(heads: readonly (readonly (readonly number[])[])[]): Uint8Array<ArrayBuffer> {
  const Words = wordsFor(heads.map(({ length }) => length));
  const lists = heads.flat();
  const words = new Words(lists.reduce((sum, { length }) => sum + 1 + length, 0));
  let at = 0;
  for (const list of lists) {
    words[at] = list.length;
    words.set(list, at + 1);
    at += 1 + list.length;
  }
  return new Uint8Array(words.buffer);
}

/** @param counts Keys of every query head. @throws RangeError when these are not the lists of so many keys. */
export function unpackLinks(bytes: Uint8Array, counts: readonly number[], capacity: number): number[][][] {
  const Words = wordsFor(counts);
  if (bytes.length % Words.BYTES_PER_ELEMENT !== 0) throw new RangeError('an index with half a link');
  const words = new Words(bytes.slice().buffer);
  let at = 0;
  const heads = counts.map((count) =>
    Array.from({ length: count }, () => {
      const length = words[at] ?? Number.NaN;
      const list = [...words.subarray(at + 1, at + 1 + length)];
      if (!(length <= capacity) || list.length !== length || list.some((key) => key >= count)) {
        throw new RangeError('an index with other links than it has keys');
      }
      at += 1 + length;
      return list;
    }),
  );
  if (at !== words.length) throw new RangeError('an index with more links than keys');
  return heads;
}

function wordsFor(counts: readonly number[]): Uint16ArrayConstructor | Uint32ArrayConstructor {
  return Math.max(0, ...counts) > 65_536 ? Uint32Array : Uint16Array;
}
