import { z } from 'zod';

const layer = z.object({
  counts: z.array(z.number().int().min(0)),
  norms: z.array(z.number()),
  starts: z.array(z.number().int().min(0)),
  /** `packLinks` of every query head. */
  heads: z.array(z.string()),
});
const schema = z.object({ used: z.number().int(), isGraph: z.boolean(), layers: z.array(layer.nullable()) });

/** An index as JSON; rows are made anew of the cache. */
export type SavedIndex = z.output<typeof schema>;

/** @throws RangeError when it is no saved index. */
export function savedIndex(state: unknown): SavedIndex {
  const read = schema.safeParse(state);
  if (!read.success) throw new RangeError(`no saved index: ${read.error.issues[0]?.message ?? ''}`);
  return read.data;
}

/** Lists of neighbours, each behind its length, as 32-bit words in base64 where a number takes more than 16 bits. */
export function packLinks(links: readonly (readonly number[])[]): string {
  const words = links.flatMap((list) => [list.length, ...list]);
  const isWide = links.length > 65_536;
  const bytes = isWide ? Uint32Array.from(words) : Uint16Array.from(words);
  return Buffer.from(bytes.buffer).toString('base64');
}

/** @throws RangeError when these are not the lists of so many keys. */
export function unpackLinks(packed: string, count: number, capacity: number): number[][] {
  const bytes = Uint8Array.from(Buffer.from(packed, 'base64'));
  const words = count > 65_536 ? new Uint32Array(bytes.buffer) : new Uint16Array(bytes.buffer);
  let at = 0;
  const links = Array.from({ length: count }, () => {
    const length = words[at] ?? Number.NaN;
    const list = [...words.subarray(at + 1, at + 1 + length)];
    if (!(length <= capacity) || list.length !== length || list.some((key) => key >= count)) {
      throw new RangeError('an index with other links than it has keys');
    }
    at += 1 + length;
    return list;
  });
  if (at !== words.length) throw new RangeError('an index with more links than keys');
  return links;
}
