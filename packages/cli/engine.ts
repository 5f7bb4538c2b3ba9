import {
  type GenerateOptions,
  type GenerationResult,
  type LoadModelOptions,
  type LocateModelOptions,
  loadModel,
  type Model,
  type OpenOptions,
  type Session,
} from 'loci';
import type { Context } from './command.ts';
import { methodsOf, writeDecisions } from './methods.ts';
import { defined } from './options/defined.ts';
import type { Values } from './options/option.ts';
import type { modelOptions, samplingOptions, sourceOptions } from './options/shared.ts';
import { bytes, count, counted, duration, rate } from './output/format.ts';
import type { Reporter } from './output/reporter.ts';
import { TimeLeft } from './output/time-left.ts';

export type ModelValues = Values<typeof modelOptions>;
type SamplingValues = Values<typeof samplingOptions>;

/** A model that is loaded, with how its sessions compute. */
export interface Engine {
  readonly model: Model;
  open(): Promise<Session>;
  /** Opens what was saved with the same methods. */
  restore(path: string): Promise<Session>;
  /** Tokens that a session holds. */
  readonly window: number;
  /** What every document says about the model and the run. */
  facts(): RunFacts;
}

export interface RunFacts {
  readonly model: string;
  readonly threads: number;
  readonly precision: NonNullable<OpenOptions['precision']>;
  readonly attend: string;
  readonly keep: string;
  readonly store: string;
  readonly remember?: string;
  readonly weightBytes: number;
  readonly peakBytes: number;
}

/** Looking for a model, and fetching it where it is on the hub only: options for `loadModel` and `loadTokenizer`. */
export function locating(values: Values<typeof sourceOptions>, { reporter, interrupt }: Context): LocateModelOptions {
  reporter.begin('while looking for the model', 1000);
  return {
    // Without the flag the environment decides.
    ...(values.offline && { offline: true }),
    signal: interrupt.signal,
    onDownload: ({ file, receivedBytes, totalBytes, bytesPerSecond }) => {
      const part = `${bytes(receivedBytes)} of ${bytes(totalBytes)}`;
      const left =
        bytesPerSecond > 0 ? `, ${duration(((totalBytes - receivedBytes) / bytesPerSecond) * 1000)} left` : '';
      const speed = `${bytes(bytesPerSecond)}/s${left}`;
      const kept = 'what has arrived is kept for the next time';
      reporter.progress(`fetching ${file}: ${part}, ${speed}`, `while fetching ${file} (${part}; ${kept})`);
    },
  };
}

/** Loads the model that the options name, does some work with it, and closes it. */
export async function withModel<T>(
  values: ModelValues,
  context: Context,
  work: (engine: Engine) => Promise<T>,
  settings: Pick<LoadModelOptions, 'build' | 'observer'> = {},
): Promise<T> {
  const { precision = 'int8', inspect } = values;
  const { reporter } = context;
  // A wrong name shows before the model is loaded.
  const methods = await methodsOf(values);
  const model = await loadModel(values.model, {
    ...settings,
    ...locating(values, context),
    precision,
    mixers: async () => (await import('@loci/papers/mixers')).mixerLayers,
    ...defined({ threads: values.threads }),
    onProgress: ({ loadedBytes, totalBytes }) => {
      const part = `${bytes(loadedBytes)} of ${bytes(totalBytes)}`;
      reporter.progress(`loading ${part}`, `while loading the model (${part})`);
    },
  });
  reporter.begin('', 0);
  try {
    let session: Session | undefined;
    const result = await work({
      model,
      open: async () => {
        session = await model.open({ precision, ...methods });
        return session;
      },
      restore: async (path) => {
        session = await model.restore(path, methods);
        return session;
      },
      window: methods.remember ? Number.POSITIVE_INFINITY : model.contextLength,
      facts: () => ({
        model: model.name,
        threads: model.threads,
        precision,
        attend: methods.attend?.spec ?? 'dense',
        keep: methods.keep?.spec ?? 'all',
        store: storeName(methods.store, precision),
        ...(methods.remember && { remember: methods.remember.spec }),
        weightBytes: model.weightBytes,
        peakBytes: peakBytes(),
      }),
    });
    if (inspect !== undefined && session) await writeDecisions(session, inspect);
    return result;
  } finally {
    await model.close();
  }
}

function storeName(store: OpenOptions['store'], precision: OpenOptions['precision']): string {
  if (store === undefined) return precision === 'float32' ? 'f32' : 'f16';
  return typeof store === 'string' ? store : store.spec;
}

/** What reading shows of itself: options for `prefill`, `generate` and `score`. */
export function reading(tokens: number, reporter: Reporter, signal: AbortSignal) {
  const timeLeft = new TimeLeft();
  const onProgress: GenerateOptions['onProgress'] = ({ doneTokens, totalTokens, tokensPerSecond, work }) => {
    if (work) {
      const share = `${work.what} ${Math.round(100 * work.share)} %`;
      reporter.progress(share, `after ${share}`);
      return;
    }
    const left = duration(timeLeft.after(doneTokens, (doneTokens / tokensPerSecond) * 1000, totalTokens));
    const part = `${count(doneTokens)} of ${counted(totalTokens, 'token')}`;
    reporter.progress(`reading ${part}, ${rate(tokensPerSecond)} tokens/s, ${left} left`, `after reading ${part}`);
  };
  reporter.begin(`after reading 0 of ${counted(tokens, 'token')}`, 0);
  // A short prompt is read before a line about it could be.
  if (tokens > 256) reporter.progress(`reading ${counted(tokens, 'token')}`, reporter.done);
  return { signal, onProgress };
}

/** Generates behind a prompt and writes the text as it comes. `onToken` learns of every token at once. */
export async function answer(
  session: Session,
  ids: ArrayLike<number>,
  options: GenerateOptions,
  reporter: Reporter,
  signal: AbortSignal,
  onToken: (id: number) => void = () => {},
): Promise<GenerationResult> {
  const tokens = session.generate({ ids }, { ...options, ...reading(ids.length, reporter, signal) });
  for (let generated = 0; ; ) {
    const next = await tokens.next();
    if (next.done) {
      reporter.begin('', 0);
      reporter.endText();
      return next.value;
    }
    const { id, text } = next.value;
    reporter.text(text);
    if (id === undefined) continue;
    onToken(id);
    reporter.begin(`after ${counted(++generated, 'token')} of the answer`, 0);
  }
}

/** The options of a command line as the engine names them. */
export function generateOptions(values: SamplingValues, defaultMaxTokens: number): GenerateOptions {
  return {
    ...defined({
      temperature: values.temperature,
      topK: values['top-k'],
      topP: values['top-p'],
      minP: values['min-p'],
      repetitionPenalty: values['repetition-penalty'],
      presencePenalty: values['presence-penalty'],
      seed: values.seed,
    }),
    maxTokens: values['max-tokens'] ?? defaultMaxTokens,
    stop: values.stop,
    ignoreEnd: values['ignore-end'],
  };
}

/** What a run cost, as rows for people. */
export function costRows(result: GenerationResult, facts: RunFacts): readonly (readonly [string, string])[] {
  const { promptTokens, reusedTokens, prefillMs, prefillTokensPerSecond, ids, decodeMsPerToken, kvBytes } = result;
  const reused = reusedTokens > 0 ? `, ${count(reusedTokens)} of them in the cache already` : '';
  const speed = ids.length > 1 ? `, ${decodeMsPerToken.toFixed(1)} ms/token` : '';
  return [
    ['read', `${counted(promptTokens, 'token')}${reused}`],
    ['speed', `${rate(prefillTokensPerSecond)} tokens/s, ${duration(prefillMs)}`],
    ['answer', `${counted(ids.length, 'token')}${speed}`],
    ['cache', `${bytes(kvBytes)} (${[facts.keep, facts.store].filter((one) => one !== 'all').join(', ')})`],
    ['memory', `${bytes(facts.peakBytes)} at most, ${bytes(facts.weightBytes)} of it weights`],
  ];
}

function peakBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}
