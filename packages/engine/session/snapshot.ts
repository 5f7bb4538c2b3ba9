/**
 * A session on disk: a header and one block per head of the cache, each behind its length and its SHA-256, and an end
 * mark that holds the hash of all hashes; behind those of the heads stand one of the states of layers that keep such, and
 * blocks of what methods keep. Cut, changed or foreign files are refused before anything is taken from them.
 *
 *   "LOCISESS" · u32 version · blocks · u32 0 · 32 bytes
 *   block: u32 length · 32 bytes SHA-256 · length bytes, which for a head are its words and its pages
 */
import type { SavedBlocks } from '../axes/method.ts';
import type { KvCache } from '../cache/cache.ts';
import { LociError } from '../errors.ts';
import type { ByteSource } from '../platform/types.ts';

const magic = new TextEncoder().encode('LOCISESS');
const version = 6;
const hashBytes = 32;
/** Used slots, sinks, window, bias. */
const headBytes = 20;

/** Methods of a session as texts; empty where an axis has none. */
export interface MethodSpecs {
  readonly attend: string;
  readonly keep: string;
  readonly store: string;
  readonly remember: string;
  readonly steer: string;
}

/** The methods of a saved session and what they had decided. */
export interface SavedMethods extends MethodSpecs {
  /** `KvCache.exactFrom` */
  readonly exactFrom: number;
  /** What the methods wrote. */
  readonly state: MethodState;
  /** Blocks behind those of the heads. */
  readonly blocks: number;
}

/** What outlives `save` and `restore` beside the cache, by axis; null where there is nothing. */
export interface MethodState {
  readonly keep: unknown;
  readonly attend: unknown;
  readonly remember: unknown;
}

/** What must be the same for a saved session to make sense. */
export interface SnapshotHeader extends SavedMethods {
  /** Identifies the weights that the keys and values came from. */
  readonly model: string;
  readonly precision: string;
  readonly format: string;
  readonly layers: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly ids: readonly number[];
}

export async function* writeSnapshot(
  header: SnapshotHeader,
  cache: KvCache,
  methods: readonly SavedBlocks[],
): AsyncGenerator<Uint8Array> {
  const hashes: Uint8Array[] = [];
  const start = new Uint8Array(magic.length + 4);
  start.set(magic);
  new DataView(start.buffer).setUint32(magic.length, version, true);
  yield start;
  const block = async (payload: Uint8Array<ArrayBuffer>) => {
    const out = new Uint8Array(4 + hashBytes + payload.length);
    new DataView(out.buffer).setUint32(0, payload.length, true);
    const hash = await sha256(payload);
    hashes.push(hash);
    out.set(hash, 4);
    out.set(payload, 4 + hashBytes);
    return out;
  };
  yield block(new TextEncoder().encode(JSON.stringify(header)));
  for (const { used, sinks, window, bias, pages } of cache.export()) {
    const bytes = pages.reduce((sum, page) => sum + page.length, 0);
    const payload = new Uint8Array(headBytes + bytes);
    const head = view(payload);
    for (const [i, value] of [used, sinks, window].entries()) head.setUint32(4 * i, value, true);
    head.setFloat64(12, bias, true);
    let at = headBytes;
    for (const page of pages) {
      payload.set(page, at);
      at += page.length;
    }
    yield block(payload);
  }
  if (cache.states) yield block(cache.states.export().slice());
  for (const blocks of methods) for await (const one of blocks.read()) yield block(one);
  const end = new Uint8Array(4 + hashBytes);
  end.set(await sha256(joined(hashes)), 4);
  yield end;
}

/**
 * Checks a saved session and fills a new cache with it. `accept` sees the header first and returns that cache; `methods` takes
 * the blocks behind it, all that there are.
 * @throws LociError `bad-file` when the file is not a session, is damaged, or belongs to something else.
 */
export async function readSnapshot(
  source: ByteSource,
  accept: (header: SnapshotHeader) => KvCache,
  methods: (header: SnapshotHeader, cache: KvCache, next: () => Promise<Uint8Array>) => Promise<void>,
): Promise<SnapshotHeader> {
  const damaged = (reason: string, at: number): never => {
    throw new LociError('bad-file', `${source.name}: ${reason} at byte ${at}; the session cannot be restored`);
  };
  let at = 0;
  const take = async (length: number) => {
    if (at + length > source.size) return damaged('the file ends too early', source.size);
    const bytes = await source.read(at, length);
    at += length;
    return bytes;
  };
  const start = await take(magic.length + 4);
  if (magic.some((byte, i) => start[i] !== byte)) return damaged('this is not a saved session', 0);
  const found = view(start).getUint32(magic.length, true);
  if (found !== version) return damaged(`version ${found} is not supported (this is version ${version})`, magic.length);
  const hashes: Uint8Array[] = [];
  const block = async (): Promise<Uint8Array<ArrayBuffer>> => {
    const where = at;
    const length = view(await take(4)).getUint32(0, true);
    const expected = await take(hashBytes);
    const payload = await take(length);
    const hash = await sha256(payload);
    if (hash.some((byte, i) => expected[i] !== byte)) return damaged('damaged bytes', where);
    hashes.push(hash);
    return payload;
  };
  const header = parseHeader(await block(), source.name);
  const cache = accept(header);
  try {
    for (let head = 0; head < header.layers * header.kvHeads; head++) {
      const where = at;
      const payload = await block();
      if (payload.length < headBytes) return damaged('a block is too short', where);
      const words = view(payload);
      const used = words.getUint32(0, true);
      const size = cache.pool.pageBytes;
      const count = cache.pagesFor(used);
      if (payload.length !== headBytes + count * size) return damaged(`a block does not hold ${count} pages`, where);
      cache.import(head, {
        used,
        sinks: words.getUint32(4, true),
        window: words.getUint32(8, true),
        bias: words.getFloat64(12, true),
        pages: Array.from({ length: count }, (_, i) =>
          payload.subarray(headBytes + i * size, headBytes + (i + 1) * size),
        ),
      });
    }
    cache.states?.import(await block());
    cache.setExactFrom(header.exactFrom);
    let left = header.blocks;
    await methods(header, cache, async () => (left-- > 0 ? block() : damaged('a block is missing', at)));
    if (left !== 0) return damaged('blocks that nobody takes', at);
    const where = at;
    if (view(await take(4)).getUint32(0, true) !== 0) return damaged('the end mark is missing', where);
    const all = await sha256(joined(hashes));
    const expected = await take(hashBytes);
    if (all.some((byte, i) => expected[i] !== byte) || at !== source.size) return damaged('a wrong end', where);
  } catch (error) {
    cache.close();
    throw error;
  }
  return header;
}

function parseHeader(bytes: Uint8Array, file: string): SnapshotHeader {
  const header: unknown = JSON.parse(new TextDecoder().decode(bytes));
  // The hash has shown that these are the bytes a Loci of this version wrote; this guards against a forged file.
  if (typeof header === 'object' && header !== null && isHeader(header)) return header;
  throw new LociError('bad-file', `${file}: the header does not describe a session`);
}

function isHeader(header: object): header is SnapshotHeader {
  const entries = new Map(Object.entries(header));
  const ids: unknown = entries.get('ids');
  const state: unknown = entries.get('state');
  return (
    typeof state === 'object' &&
    state !== null &&
    'keep' in state &&
    'attend' in state &&
    'remember' in state &&
    ['model', 'precision', 'format', 'attend', 'keep', 'store', 'remember', 'steer'].every(
      (key) => typeof entries.get(key) === 'string',
    ) &&
    ['layers', 'kvHeads', 'headSize', 'exactFrom', 'blocks'].every((key) => Number.isSafeInteger(entries.get(key))) &&
    Array.isArray(ids) &&
    ids.every((id) => Number.isSafeInteger(id))
  );
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}
