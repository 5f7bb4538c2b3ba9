/** What the two engines are told and what they answer. Each lives in a process of its own and computes only when told to. */

export type Order =
  | { readonly kind: 'load'; readonly path: string; readonly threads: number }
  /** Read `ids` with an empty cache, then generate `decode` tokens after the first. */
  | { readonly kind: 'measure'; readonly ids: readonly number[]; readonly decode: number };

export type Answer = { readonly kind: 'loaded'; readonly ms: number } | ({ readonly kind: 'measured' } & Timing);

export interface Timing {
  /** From the call to the first token. */
  readonly prefillMs: number;
  /** Mean of the tokens after the first. */
  readonly decodeMs: number;
  /** What was generated, greedily. */
  readonly ids: readonly number[];
}

export interface Engine {
  load(path: string, threads: number): Promise<void>;
  /** Opens a fresh, empty context; what it takes is not timed. */
  open(tokens: number): Promise<Context>;
}

export interface Context {
  /** Greedy tokens behind a prompt, without end. */
  generate(ids: readonly number[], tokens: number): AsyncIterable<number>;
  close(): Promise<void>;
}

/** Lets an engine follow orders that come over the channel to the parent, until that is closed. */
export function serve(engine: Engine): void {
  process.on('message', (order: Order) => {
    follow(engine, order).then(
      (answer) => process.send?.(answer),
      (error) => {
        process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
        process.exit(1);
      },
    );
  });
  process.on('disconnect', () => process.exit(0));
}

async function follow(engine: Engine, order: Order): Promise<Answer> {
  if (order.kind === 'load') {
    const started = performance.now();
    await engine.load(order.path, order.threads);
    return { kind: 'loaded', ms: performance.now() - started };
  }
  const { ids, decode } = order;
  const context = await engine.open(ids.length + decode + 1);
  const generated: number[] = [];
  const started = performance.now();
  let first = started;
  let last = started;
  for await (const id of context.generate(ids, decode + 1)) {
    generated.push(id);
    last = performance.now();
    if (generated.length === 1) first = last;
    if (generated.length > decode) break;
  }
  await context.close();
  if (generated.length !== decode + 1) throw new Error(`${generated.length} of ${decode + 1} tokens came`);
  return { kind: 'measured', prefillMs: first - started, decodeMs: (last - first) / decode, ids: generated };
}
