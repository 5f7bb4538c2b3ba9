import { LociError } from '../errors.ts';

/** How patient a transfer is. Times are milliseconds. */
export interface Patience {
  /** Tries after the first one, in a row and without getting further; default 5. */
  readonly retries?: number | undefined;
  /** Pause before the first retry, doubled with each further one up to 20 s; default 500. */
  readonly backoffMs?: number | undefined;
  /** A server that sends nothing for this long counts as gone; default 30 000. */
  readonly stallMs?: number | undefined;
}

export interface RequestOptions extends Patience {
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A failure that another try may mend; it never leaves this group of files. */
export class PassingFailure extends Error {
  readonly retryAfterMs: number;
  /** On the first try this is rather a mistyped host or no network at all; later it is a network that comes back. */
  readonly unreachable: boolean;

  constructor(message: string, detail: { retryAfterMs?: number; unreachable?: boolean; cause?: unknown } = {}) {
    super(message, { cause: detail.cause });
    this.retryAfterMs = detail.retryAfterMs ?? 0;
    this.unreachable = detail.unreachable ?? false;
  }
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  /** The body, as it comes; leaving the loop closes the connection. */
  chunks(): AsyncGenerator<Uint8Array, void, undefined>;
  /** Closes the connection without reading the body. */
  drop(): void;
}

const longestPauseMs = 20_000;
const longestRetryAfterMs = 120_000;

/** Causes that the next seconds will hardly change: a mistyped host, a certificate that is not trusted. */
const lasting = /^(ENOTFOUND|ERR_INVALID_URL|ERR_TLS_\w+|CERT_\w+|DEPTH_ZERO_\w+|SELF_SIGNED_\w+|UNABLE_TO_\w+)$/;

/**
 * One GET request; redirects are followed (and `authorization` is not sent to another origin).
 * @throws LociError `aborted`; PassingFailure for no connection, a lost one or a stall.
 */
export async function get(url: string, options: RequestOptions): Promise<Reply> {
  const stallMs = options.stallMs ?? 30_000;
  const own = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, own.signal]) : own.signal;
  let stalled = false;

  const watched = async <T>(step: Promise<T>): Promise<T> => {
    const timer = setTimeout(() => {
      stalled = true;
      own.abort();
    }, stallMs);
    try {
      return await step;
    } catch (error) {
      throwIfAborted(options.signal, url);
      if (stalled) throw new PassingFailure(`nothing arrived for ${stallMs / 1000} s`);
      throw networkFailure(error);
    } finally {
      clearTimeout(timer);
    }
  };

  throwIfAborted(options.signal, url);
  // Compressed bodies are refused: their length and their ranges are not those of the file.
  const headers = { 'accept-encoding': 'identity', ...options.headers };
  const response = await watched(fetch(url, { headers, signal }));
  return {
    status: response.status,
    headers: response.headers,
    async *chunks() {
      const reader = response.body?.getReader();
      if (!reader) return;
      try {
        for (;;) {
          const { done, value } = await watched(reader.read());
          if (done) return;
          yield value;
        }
      } finally {
        own.abort();
      }
    },
    drop: () => own.abort(),
  };
}

/**
 * Turns a status other than 200 and 206 into an error that says what to do.
 * @throws PassingFailure for 408, 425, 429 and 5xx; LociError `not-found` or `download-failed` for the rest.
 */
export function checkStatus(reply: Reply, url: string): void {
  const { status, headers } = reply;
  if (status === 200 || status === 206) return;
  reply.drop();
  const said = headers.get('x-error-message');
  const answer = `${url}: the server answered ${status}${said ? ` (${said.slice(0, 300)})` : ''}`;
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const wait = retryAfterMs(headers.get('retry-after'));
    if (wait > longestRetryAfterMs) {
      throw new LociError('download-failed', `${answer} and asks to wait ${Math.ceil(wait / 1000)} s; try again then`);
    }
    throw new PassingFailure(answer, { retryAfterMs: wait });
  }
  if (status === 401) {
    // The hub does not tell strangers which private repositories exist.
    const code = headers.get('x-error-code') === 'RepoNotFound' ? 'not-found' : 'download-failed';
    throw new LociError(
      code,
      `${answer}: no such repository, or a private one; set HF_TOKEN to a token that may read it`,
    );
  }
  if (status === 403) {
    throw new LociError(
      'download-failed',
      `${answer}: access is refused; accept the model's terms on its page and set HF_TOKEN to a token that may read it`,
    );
  }
  if (status === 404 || status === 410) throw new LociError('not-found', `${answer}: no such file or repository`);
  throw new LociError('download-failed', answer);
}

/**
 * Repeats `attempt` while it fails in passing. `gotFurther` says after a failure whether that try brought enough to
 * start counting anew.
 * @throws LociError `download-failed` with the last reason after `retries` failures in a row.
 */
export async function persist<T>(
  url: string,
  options: RequestOptions,
  attempt: () => Promise<T>,
  gotFurther: () => boolean = () => false,
): Promise<T> {
  const retries = options.retries ?? 5;
  for (let failures = 0, tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof PassingFailure)) throw error;
      failures = gotFurther() ? 1 : failures + 1;
      if (failures > retries || (tries === 1 && error.unreachable)) {
        const reason = error.message.startsWith(url) ? error.message : `${url}: ${error.message}`;
        const effort = error.unreachable
          ? '; check the address and the network'
          : `; gave up after ${tries} ${tries === 1 ? 'try' : 'tries'}`;
        throw new LociError('download-failed', `${reason}${effort}`, { cause: error });
      }
      const pause = Math.min((options.backoffMs ?? 500) * 2 ** (failures - 1), longestPauseMs);
      // Spread, so that many clients of a server that came back do not all return in the same moment.
      await wait(Math.max(pause * (0.75 + Math.random() / 2), error.retryAfterMs), options.signal, url);
    }
  }
}

/**
 * Reads a whole JSON answer of at most 64 MiB.
 * @throws LociError `download-failed` when it is not JSON, too long, or the server cannot be reached.
 */
export async function getJson(url: string, options: RequestOptions): Promise<{ body: unknown; headers: Headers }> {
  return persist(url, options, async () => {
    const reply = await get(url, { ...options, headers: { ...options.headers, accept: 'application/json' } });
    checkStatus(reply, url);
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of reply.chunks()) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > 1 << 26) throw new LociError('download-failed', `${url}: the answer is longer than 64 MiB`);
    }
    try {
      const body: unknown = JSON.parse(text + decoder.decode());
      return { body, headers: reply.headers };
    } catch (error) {
      throw new LociError('download-failed', `${url}: the answer is not JSON but "${text.slice(0, 60)}"`, {
        cause: error,
      });
    }
  });
}

/** @throws the signal's own LociError, or LociError `aborted`. */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (!signal?.aborted) return;
  if (signal.reason instanceof LociError) throw signal.reason;
  throw new LociError('aborted', `${what}: stopped on request`, { cause: signal.reason });
}

function networkFailure(error: unknown): PassingFailure {
  // fetch says only "fetch failed"; what happened is in the chain of causes.
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const message = cause instanceof Error ? cause.message : String(cause);
  const text = code === '' || message.includes(code) ? message : `${message} (${code})`;
  return new PassingFailure(text, { unreachable: lasting.test(code), cause: error });
}

/** Seconds or a date, RFC 9110 section 10.2.3; 0 when absent or unreadable. */
function retryAfterMs(value: string | null): number {
  if (value === null) return 0;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? 0 : Math.max(0, date - Date.now());
}

function wait(ms: number, signal: AbortSignal | undefined, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      try {
        throwIfAborted(signal, what);
      } catch (error) {
        reject(error);
      }
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}
