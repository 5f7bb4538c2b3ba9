import { LociError } from '../errors.ts';
import type { FileStore } from '../platform/types.ts';
import { checkStatus, get, PassingFailure, type Patience, persist, type Reply, throwIfAborted } from './hub-http.ts';
import { checkExpected, type Expected, PartialFile, partialNames } from './hub-partial.ts';
import { type OnProgress, ProgressMeter } from './hub-progress.ts';

export interface DownloadOptions extends Expected, Patience {
  readonly store: FileStore;
  /** An http or https address. */
  readonly url: string;
  readonly destination: string;
  /** What progress events call the file; default: the address's last part. */
  readonly name?: string | undefined;
  /** Headers for the server of `url`; `authorization` does not follow a redirect to another origin. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

export interface DownloadResult {
  readonly path: string;
  /** Length of the file. */
  readonly bytes: number;
  /** What came over the network in this call: 0 when the file was there already, less than `bytes` after a resume. */
  readonly receivedBytes: number;
}

/**
 * Fetches one file. The bytes are collected in `<destination>.partial`; the file gets its name only when it is complete
 * and its digest is right, so a file at `destination` (of the right size, when that is known) is taken as it is.
 *
 * A dropped connection, a stall, 429 and 5xx are retried with growing pauses. A partial file, of this or an earlier
 * process, is continued with a Range request: with a digest the digest judges the whole; without one the server must
 * confirm by `If-Range` and entity tag or date that the content has not changed. What cannot be trusted (a changed
 * file, ranges ignored or mislabelled) starts over. Never more than the known or announced length is written.
 *
 * Two processes that want the same file: `<destination>.lock` lets one of them fetch while the other waits, showing
 * the first one's progress, and then finds the file complete (or continues it when the first one was stopped).
 *
 * @throws LociError `download-failed` (the digest is wrong: the bad bytes are deleted; the disk is full or the server
 * keeps failing: they are kept for the next call), `not-found`, `aborted` (kept too), `bad-option`.
 */
export async function downloadFile(options: DownloadOptions): Promise<DownloadResult> {
  const { store, destination, signal } = options;
  if (!/^https?:/i.test(options.url) || !URL.canParse(options.url)) {
    throw new LociError('bad-option', `"${options.url}" is not an http or https address`);
  }
  checkExpected(options, destination);
  throwIfAborted(signal, destination);
  const meter = new ProgressMeter(options.name ?? lastPart(options.url), options.onProgress);
  try {
    const present = await presentFile(options);
    if (present) return present;
    const lock = await store.lock(`${destination}.lock`, { signal, onWait: () => showOther(options, meter) });
    try {
      const finishedByOther = await presentFile(options);
      if (finishedByOther) return finishedByOther;
      const guarded = signal ? AbortSignal.any([signal, lock.lost]) : lock.lost;
      return await downloadAlone({ ...options, signal: guarded }, meter);
    } finally {
      await lock.release();
    }
  } catch (error) {
    throw explain(error, destination);
  }
}

async function downloadAlone(options: DownloadOptions, meter: ProgressMeter): Promise<DownloadResult> {
  const { store, url, destination, signal } = options;
  const expected: Expected = { size: options.size, sha256: options.sha256, gitBlob: options.gitBlob };
  const partial = await PartialFile.open(store, destination, url, expected, signal);
  try {
    const transfer = new Transfer(options, partial, meter);
    await transfer.fill();
    let fault = partial.fault();
    if (fault !== undefined && partial.inherited) {
      // Bytes of an earlier process may have been damaged on disk, as by a loss of power; the server gets one more chance.
      await partial.restart();
      await transfer.fill();
      fault = partial.fault();
    }
    if (fault !== undefined) {
      await partial.close();
      await partial.discard();
      throw new LociError(
        'download-failed',
        `${url}: the content is not the one announced (${fault}); it was deleted. Try again, or another source`,
      );
    }
    throwIfAborted(signal, destination);
    await partial.finish();
    meter.report(partial.size, partial.size, true);
    return { path: destination, bytes: partial.size, receivedBytes: transfer.receivedBytes };
  } catch (error) {
    if (error instanceof LociError && error.code === 'aborted') {
      const done = `${partial.size} of ${partial.total ?? 'unknown'} bytes`;
      throw new LociError('aborted', `${destination}: stopped at ${done}; the next download continues there`, {
        cause: error,
      });
    }
    throw error;
  } finally {
    await partial.close();
  }
}

/** The requests that fill one partial file. */
class Transfer {
  receivedBytes = 0;
  readonly #options: DownloadOptions;
  readonly #partial: PartialFile;
  readonly #meter: ProgressMeter;
  /** Most bytes the partial file has had: a server that makes it start over and over does not get further. */
  #peak = 0;

  constructor(options: DownloadOptions, partial: PartialFile, meter: ProgressMeter) {
    this.#options = options;
    this.#partial = partial;
    this.#meter = meter;
  }

  /** Sends requests until the partial file has all bytes. At most 100 × (retries + 1) of them, by `#gotFurther`. */
  async fill(): Promise<void> {
    this.#peak = this.#partial.size;
    await persist(
      this.#options.url,
      this.#options,
      () => this.#attempt(),
      () => this.#gotFurther(),
    );
  }

  /** One percent of the file counts as progress; a byte per connection does not. */
  #gotFurther(): boolean {
    const { size, total } = this.#partial;
    if (total === undefined || size - this.#peak < total / 100) return false;
    this.#peak = size;
    return true;
  }

  async #attempt(): Promise<void> {
    const { url, headers, signal, stallMs } = this.#options;
    const partial = this.#partial;
    if (partial.size === partial.total) return;
    const from = partial.size;
    const range: Record<string, string> = {};
    if (from > 0) {
      // Without a digest or a validator nothing could tell whether the rest belongs to the same content.
      if (!partial.hasDigest && partial.validator === undefined) {
        await partial.restart();
        return this.#attempt();
      }
      range['range'] = `bytes=${from}-`;
      if (!partial.hasDigest && partial.validator !== undefined) range['if-range'] = partial.validator;
    }
    const reply = await get(url, { headers: { ...headers, ...range }, signal, stallMs });
    if (reply.status === 206 || (reply.status === 416 && from > 0)) await this.#acceptRange(reply, from);
    else await this.#acceptWhole(reply, from);

    const total = partial.total ?? 0;
    this.#meter.report(partial.size, total);
    for await (const chunk of partial.size < total ? reply.chunks() : []) {
      const wanted = chunk.subarray(0, total - partial.size);
      await partial.append(wanted);
      this.receivedBytes += wanted.length;
      this.#meter.report(partial.size, total);
      if (partial.size === total) return;
    }
    if (partial.size < total) throw new PassingFailure(`the connection ended after ${partial.size} of ${total} bytes`);
  }

  /** Checks that a 206 continues exactly where the partial file ends; any other range starts over. */
  async #acceptRange(reply: Reply, from: number): Promise<void> {
    const partial = this.#partial;
    const said = reply.headers.get('content-range') ?? 'none';
    const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(said);
    const size = Number(range?.[3]);
    const validator = validatorOf(reply.headers);
    const sameSize = size === (partial.total ?? size);
    const same = partial.hasDigest || from === 0 || validator === undefined || validator === partial.validator;
    if (reply.status === 206 && Number(range?.[1]) === from && sameSize && same) {
      await partial.setOrigin({ size, validator: validator ?? partial.validator });
      return;
    }
    reply.drop();
    await partial.restart();
    throw new PassingFailure(
      `bytes from ${from} of ${partial.total ?? 'unknown'} were wanted, the server answered ${reply.status} with range ${said}`,
    );
  }

  /** A 200 brings the content from its first byte, whatever was asked for. */
  async #acceptWhole(reply: Reply, from: number): Promise<void> {
    const { url, size: known } = this.#options;
    const partial = this.#partial;
    checkStatus(reply, url);
    if (from > 0) await partial.restart();
    const length = reply.headers.get('content-length');
    // A body that was compressed after all is announced in its compressed length.
    const announced = length === null || reply.headers.has('content-encoding') ? undefined : Number(length);
    if (known !== undefined && announced !== undefined && announced !== known && !partial.hasDigest) {
      reply.drop();
      throw new LociError('download-failed', `${url}: expected ${known} bytes, the server announces ${announced}`);
    }
    const total = known ?? announced;
    if (total === undefined || !Number.isSafeInteger(total)) {
      reply.drop();
      throw new LociError(
        'download-failed',
        `${url}: the server does not say how long the file is, and nothing else does`,
      );
    }
    await partial.setOrigin({ size: total, validator: validatorOf(reply.headers) });
  }
}

/** A complete file at the destination, when there is one. */
async function presentFile({ store, destination, size }: DownloadOptions): Promise<DownloadResult | undefined> {
  const found = await store.stat(destination);
  if (found?.kind === 'directory') throw new LociError('bad-option', `${destination} is a directory, not a file`);
  if (found === undefined || (size !== undefined && found.bytes !== size)) return undefined;
  return { path: destination, bytes: found.bytes, receivedBytes: 0 };
}

/** While another process fetches the file, its partial file tells the progress. */
async function showOther({ store, destination, size }: DownloadOptions, meter: ProgressMeter): Promise<void> {
  const partial = await store.stat(partialNames(destination).bytes);
  if (partial && size !== undefined) meter.report(partial.bytes, size);
}

/** An entity tag that RFC 9110 section 13.1.5 allows in `If-Range`, or else the date. */
function validatorOf(headers: Headers): string | undefined {
  const tag = headers.get('etag');
  if (tag?.startsWith('"')) return tag;
  return headers.get('last-modified') ?? undefined;
}

/** Says in words what the host's error codes mean; the names are those of POSIX and of the web's storage quota. */
function explain(error: unknown, destination: string): unknown {
  if (!(error instanceof Error) || error instanceof LociError) return error;
  const code = 'code' in error ? String(error.code) : error.name;
  const say = (text: string) => new LociError('download-failed', `${destination}: ${text}`, { cause: error });
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'QuotaExceededError') {
    return say('the disk is full; what has arrived is kept and the next download continues there. Free some space');
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return say(`this place cannot be written (${code}); choose another directory`);
  }
  return code.startsWith('E') ? say(error.message) : error;
}

function lastPart(url: string): string {
  return new URL(url).pathname.split('/').at(-1) || url;
}
