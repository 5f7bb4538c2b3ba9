import { statSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

export interface TestServer {
  readonly url: string;
  /** Every request so far. */
  readonly requests: SeenRequest[];
  close(): Promise<void>;
}

/** `n` counts the requests from 0. */
export type Answer = (request: IncomingMessage, response: ServerResponse, n: number) => void;

/** A server on the loopback interface, on a port of its own. */
export async function startServer(answer: Answer): Promise<TestServer> {
  const requests: SeenRequest[] = [];
  const server = createServer((request, response) => {
    requests.push({ path: request.url ?? '', headers: { ...request.headers } });
    answer(request, response, requests.length - 1);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export interface ServeOptions {
  readonly etag?: string;
  readonly lastModified?: string;
  /** The connection is cut after this many bytes of the body. */
  readonly dropAfter?: number | undefined;
  /**
   * The client's partial file: the connection is cut only when the bytes have arrived there. Without it, what is still
   * on its way may be lost, as it may on a real network.
   */
  readonly partial?: string | undefined;
}

/** Serves `content` the way a good server does, with Range and If-Range, until it drops the connection. */
export function serve(
  request: IncomingMessage,
  response: ServerResponse,
  content: Uint8Array,
  { etag, lastModified, dropAfter, partial }: ServeOptions = {},
): void {
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  const condition = request.headers['if-range'];
  const holds = condition === undefined || condition === etag || condition === lastModified;
  const from = range && holds ? Number(range[1]) : 0;
  if (etag) response.setHeader('etag', etag);
  if (lastModified) response.setHeader('last-modified', lastModified);
  if (from > 0 && from >= content.length) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    return;
  }
  if (range && holds) {
    response.statusCode = 206;
    response.setHeader('content-range', `bytes ${from}-${content.length - 1}/${content.length}`);
  }
  const body = content.subarray(from);
  response.setHeader('content-length', body.length);
  if (dropAfter === undefined || dropAfter >= body.length) response.end(body);
  else sendAndDrop(response, body.subarray(0, dropAfter), partial, from + dropAfter);
}

/** Sends some bytes and closes the connection in the middle of the body, when `partial` has `length` bytes. */
export function sendAndDrop(response: ServerResponse, bytes: Uint8Array, partial?: string, length = 0): void {
  response.flushHeaders();
  response.write(bytes, () => {
    let polls = 0;
    const drop = () => {
      const arrived = partial === undefined || statSync(partial, { throwIfNoEntry: false })?.size === length;
      if (arrived || ++polls > 1_000) response.destroy();
      else setTimeout(drop, 1);
    };
    drop();
  });
}
