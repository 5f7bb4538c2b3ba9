import { LociError } from '../errors.ts';
import type { FileStore, GrowingFile, StreamingHash } from '../platform/types.ts';
import { throwIfAborted } from './hub-http.ts';

/** What is known of the right content before it is fetched. */
export interface Expected {
  readonly size?: number | undefined;
  readonly sha256?: string | undefined;
  /** SHA-1 of git's blob object, that is of the text `blob <size>\0` and the content; only used together with `size`. */
  readonly gitBlob?: string | undefined;
}

/** Where the bytes of a partial file came from; kept beside it, so that another process can judge them. */
export interface Origin {
  readonly url: string;
  readonly size?: number | undefined;
  readonly sha256?: string | undefined;
  readonly gitBlob?: string | undefined;
  /** A strong entity tag or a date, fit for `If-Range`. */
  readonly validator?: string | undefined;
}

/**
 * The unfinished part of a download: `<destination>.partial`, with `<destination>.partial.json` telling its origin. The
 * hash runs along with the bytes.
 */
export class PartialFile {
  readonly #store: FileStore;
  readonly #destination: string;
  readonly #file: GrowingFile;
  readonly #expected: Expected;
  #origin: Origin;
  /** Whether the note on disk says what `#origin` says. */
  #noted: boolean;
  #hash: StreamingHash | undefined;
  #inherited = false;

  private constructor(
    store: FileStore,
    destination: string,
    file: GrowingFile,
    url: string,
    expected: Expected,
    earlier: Origin | undefined,
  ) {
    this.#store = store;
    this.#destination = destination;
    this.#file = file;
    this.#expected = expected;
    this.#origin = { ...expected, url, size: expected.size ?? earlier?.size, validator: earlier?.validator };
    this.#noted = earlier !== undefined;
  }

  /** Opens what an earlier process left, when it is surely a beginning of the same content, and an empty file otherwise. */
  static async open(
    store: FileStore,
    destination: string,
    url: string,
    expected: Expected,
    signal: AbortSignal | undefined,
  ): Promise<PartialFile> {
    const names = partialNames(destination);
    const earlier = readOrigin(await store.readText(names.origin));
    const origin = earlier && sameContent(earlier, url, expected) ? earlier : undefined;
    const file = await store.openGrowing(names.bytes);
    try {
      const partial = new PartialFile(store, destination, file, url, expected, origin);
      if (origin === undefined || file.size > (partial.total ?? 0)) await partial.restart();
      else await partial.#inherit(signal);
      return partial;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get size(): number {
    return this.#file.size;
  }

  /** The length of the whole content, once something has told it. */
  get total(): number | undefined {
    return this.#expected.size ?? this.#origin.size;
  }

  get validator(): string | undefined {
    return this.#origin.validator;
  }

  /** True when a digest will judge the result, so that the server's word on what has changed is not needed. */
  get hasDigest(): boolean {
    return this.#expected.sha256 !== undefined || this.#gitBlob !== undefined;
  }

  /** True while the file holds bytes that this process did not receive itself. */
  get inherited(): boolean {
    return this.#inherited;
  }

  get #gitBlob(): string | undefined {
    return this.#expected.size === undefined ? undefined : this.#expected.gitBlob;
  }

  /** Notes where the following bytes come from. */
  async setOrigin(found: { size: number; validator: string | undefined }): Promise<void> {
    if (this.#noted && found.size === this.#origin.size && found.validator === this.#origin.validator) return;
    this.#origin = { ...this.#origin, ...found };
    this.#noted = true;
    await this.#store.writeText(partialNames(this.#destination).origin, `${JSON.stringify(this.#origin, null, 2)}\n`);
  }

  async append(chunk: Uint8Array): Promise<void> {
    await this.#file.append(chunk);
    this.#hash?.update(chunk);
  }

  /** Forgets all bytes. */
  async restart(): Promise<void> {
    // The note goes first: a process killed in between must not leave a note about other bytes.
    await this.#store.remove(partialNames(this.#destination).origin);
    await this.#file.empty();
    this.#origin = { ...this.#expected, url: this.#origin.url };
    this.#noted = false;
    this.#inherited = false;
    this.#hash = this.#newHash();
  }

  /** What is wrong with the complete content; `undefined` when nothing is. Ends the running hash. */
  fault(): string | undefined {
    const { sha256 } = this.#expected;
    const digest = this.#hash?.hex();
    const right = sha256?.toLowerCase() ?? this.#gitBlob?.toLowerCase();
    if (digest === right) return undefined;
    return `expected ${sha256 === undefined ? 'git blob' : 'sha256'} ${right}, got ${digest}`;
  }

  /** Makes the complete content appear under its own name. */
  async finish(): Promise<void> {
    const names = partialNames(this.#destination);
    await this.#file.sync();
    await this.#file.close();
    await this.#store.rename(names.bytes, this.#destination);
    await this.#store.remove(names.origin);
  }

  async discard(): Promise<void> {
    const names = partialNames(this.#destination);
    await this.#store.remove(names.origin);
    await this.#store.remove(names.bytes);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #inherit(signal: AbortSignal | undefined): Promise<void> {
    this.#inherited = this.#file.size > 0;
    this.#hash = this.#newHash();
    if (this.#hash === undefined) return;
    for await (const chunk of this.#file.chunks()) {
      throwIfAborted(signal, this.#destination);
      this.#hash.update(chunk);
    }
  }

  #newHash(): StreamingHash | undefined {
    if (this.#expected.sha256 !== undefined) return this.#store.hash('sha256');
    if (this.#gitBlob === undefined) return undefined;
    const hash = this.#store.hash('sha1');
    hash.update(new TextEncoder().encode(`blob ${this.#expected.size}\0`));
    return hash;
  }
}

/** The two files of an unfinished download. */
export function partialNames(destination: string): { readonly bytes: string; readonly origin: string } {
  return { bytes: `${destination}.partial`, origin: `${destination}.partial.json` };
}

/** @throws LociError `bad-option` for a digest that no content can have. */
export function checkExpected(expected: Expected, what: string): void {
  const { size, sha256, gitBlob } = expected;
  if (size !== undefined && !(Number.isSafeInteger(size) && size >= 0)) {
    throw new LociError('bad-option', `${what}: the size ${size} is not a number of bytes`);
  }
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(sha256)) {
    throw new LociError('bad-option', `${what}: the sha256 "${sha256}" is not 64 hexadecimal digits`);
  }
  if (gitBlob !== undefined && !/^[0-9a-f]{40}$/i.test(gitBlob)) {
    throw new LociError('bad-option', `${what}: the git blob "${gitBlob}" is not 40 hexadecimal digits`);
  }
}

function sameContent(origin: Origin, url: string, expected: Expected): boolean {
  if (expected.size !== undefined && origin.size !== undefined && expected.size !== origin.size) return false;
  if (expected.sha256 !== undefined) return origin.sha256?.toLowerCase() === expected.sha256.toLowerCase();
  if (expected.gitBlob !== undefined) return origin.gitBlob?.toLowerCase() === expected.gitBlob.toLowerCase();
  return origin.url === url && origin.validator !== undefined;
}

function readOrigin(text: string | undefined): Origin | undefined {
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('url' in value) || typeof value.url !== 'string')
    return undefined;
  const fields = new Map(Object.entries(value));
  const string = (name: string) => {
    const field: unknown = fields.get(name);
    return typeof field === 'string' ? field : undefined;
  };
  const size: unknown = fields.get('size');
  return {
    url: value.url,
    size: typeof size === 'number' ? size : undefined,
    sha256: string('sha256'),
    gitBlob: string('gitBlob'),
    validator: string('validator'),
  };
}
