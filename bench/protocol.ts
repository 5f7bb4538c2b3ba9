/** What the engines are told and what they answer. Each lives in a process of its own and computes only when told to. */
import { flushCompileCache } from 'node:module';
import type { KernelBuild } from '../packages/engine/index.ts';

/** How an engine is opened. */
export interface Setup {
  /** A GGUF file. */
  readonly file: string;
  readonly threads: number;
  /** Number format of keys and values, in the engine's own words. */
  readonly store: string;
  /** A method of the axis `keep` with its options; all tokens are kept without one. */
  readonly keep?: string;
  /** A method of the axis `attend` with its options; all keys are read without one. */
  readonly attend?: string;
  /** How tokens are drawn; without it the most likely ones are taken. */
  readonly sampling?: Sampling;
  /** Whether each token is given out as soon as it is there, so that its step has a time of its own. */
  readonly oneByOne?: boolean;
  /** Which kernels compute, where the engine has several. */
  readonly build?: KernelBuild;
}

/** Options of these names and meanings both engines have. */
export interface Sampling {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly seed: number;
}

/** Read `ids` with empty caches, then generate `decode` tokens after the first, in `sequences` sequences side by side. */
export interface Work {
  readonly ids: readonly number[];
  readonly decode: number;
  readonly sequences: number;
}

export type Order = ({ readonly kind: 'load' } & Setup) | ({ readonly kind: 'measure' } & Work);

export type Answer =
  | { readonly kind: 'loaded' }
  | ({ readonly kind: 'measured' } & Timing)
  | { readonly kind: 'failed'; readonly message: string };

export interface Timing {
  /** From the call to the first token; of several sequences together. */
  readonly prefillMs: number;
  /** Of every token after the first, in all sequences together. */
  readonly stepsMs: readonly number[];
  /** What the first sequence generated. */
  readonly ids: readonly number[];
  /** The most memory that this process has had resident so far. */
  readonly peakBytes: number;
}

export interface Engine {
  load(setup: Setup): Promise<void>;
  /** Opens a fresh, empty context; what it takes is not timed. */
  open(tokens: number): Promise<Context>;
}

export interface Context {
  /** Tokens behind a prompt, without end. */
  generate(ids: readonly number[], tokens: number): AsyncGenerator<number, unknown, void>;
  close(): Promise<void>;
}

/** Lets an engine follow orders that come over the channel to the parent, until that is closed. */
export function serve(engine: Engine): void {
  process.on('message', (order: Order) => {
    follow(engine, order).then(
      (answer) => process.send?.(answer),
      (error) => {
        const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
        process.send?.({ kind: 'failed', message } satisfies Answer);
      },
    );
  });
  process.on('disconnect', () => process.exit(0));
}

async function follow(engine: Engine, order: Order): Promise<Answer> {
  if (order.kind === 'load') {
    await engine.load(order);
    return { kind: 'loaded' };
  }
  const { ids, decode, sequences } = order;
  const contexts: Context[] = [];
  for (let i = 0; i < sequences; i++) contexts.push(await engine.open(ids.length + decode + 1));
  const streams = contexts.map((context) => context.generate(ids, decode + 1));
  const next = async (stream: AsyncGenerator<number, unknown, void>) => {
    const { done, value } = await stream.next();
    if (done || typeof value !== 'number') throw new Error('the engine ended its text before all tokens had come');
    return value;
  };
  const generated: number[] = [];
  const started = performance.now();
  for (const [i, stream] of streams.entries()) {
    const id = await next(stream);
    if (i === 0) generated.push(id);
  }
  let last = performance.now();
  const prefillMs = last - started;
  const stepsMs: number[] = [];
  for (let step = 0; step < decode; step++) {
    const [first] = await Promise.all(streams.map(next));
    if (first !== undefined) generated.push(first);
    const now = performance.now();
    stepsMs.push(now - last);
    last = now;
  }
  for (const stream of streams) await stream.return(undefined);
  for (const context of contexts) await context.close();
  // At its end a process would do so by itself, but these are killed.
  flushCompileCache();
  return { kind: 'measured', prefillMs, stepsMs, ids: generated, peakBytes: process.resourceUsage().maxRSS * 1024 };
}
