import { Device, type KernelBuild, type ProgramObserver } from '@loci/device';
import { attendScratch, chooseScratch, matmulScratch, type PageFormat, progressiveScratch } from '@loci/kernels';
import { type Attend, dense } from '../axes/attend.ts';
import type { Keep } from '../axes/keep.ts';
import type { Mixers } from '../axes/mix.ts';
import type { Probe } from '../axes/probe.ts';
import type { Remember } from '../axes/remember.ts';
import type { Steer } from '../axes/steer.ts';
import { isPageFormat, pages, type Store } from '../axes/store.ts';
import { KvCache } from '../cache/cache.ts';
import { PagePool } from '../cache/pool.ts';
import { States } from '../cache/states.ts';
import type { WeightCodec } from '../decoder/codec.ts';
import { Decoder } from '../decoder/decoder.ts';
import type { LoadProgress } from '../decoder/weight-loader.ts';
import { loadWeights } from '../decoder/weights.ts';
import type { Precision } from '../decoder/workspace.ts';
import { LociError } from '../errors.ts';
import type { Architecture } from '../families/architecture.ts';
import { describe, isMixed } from '../families/index.ts';
import type { FileStore } from '../platform/types.ts';
import { renderChat } from '../text/chat-template.ts';
import { nextTurn } from '../text/steps.ts';
import type { Tokenizer } from '../text/types.ts';
import { asLociError } from './device-errors.ts';
import { type MethodSet, OpenMethods, specsOf } from './methods.ts';
import type { OpenedFiles } from './open-files.ts';
import type { Platform } from './platform.ts';
import { type Burst, defaultBurst, Scheduler, single } from './scheduler.ts';
import { Sequence } from './sequence.ts';
import { type Prompt, Session } from './session.ts';
import { readSnapshot, type SavedMethods, type SnapshotHeader } from './snapshot.ts';

export interface LoadOptions {
  /** Worker threads; by default one per processor that this process may use. */
  readonly threads?: number;
  /**
   * `float32` keeps matrices that the file holds as floats in float32; by default they are rounded to 8 bits with a
   * scale per 32, which is smaller and faster.
   */
  readonly precision?: Precision;
  /** What layers are made of where a file names it; asked for such a file only. */
  readonly mixers?: () => Promise<Mixers>;
  /** What the matrices of the layers become while they are loaded. */
  readonly weights?: WeightCodec;
  /** `plain` kernels do without relaxed SIMD; by default the machine decides. `bytes` are refused where they would be wrong. */
  readonly build?: KernelBuild;
  /** By default 16 tokens or what 40 ms bring, and with an observer 1: that gives each out as soon as it is there. */
  readonly burst?: Burst;
  /** Sees every program of the model before it runs. */
  readonly observer?: ProgramObserver;
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
}

export interface OpenOptions {
  /** `int8` (the default) rounds activations to 8 bits with a scale per 32; `float32` does not, and is slow. */
  readonly precision?: Precision;
  /** In which bytes keys and values lie: `f16` by default, `f32` by default under float32. */
  readonly store?: PageFormat | Store;
  /** Which keys queries are compared with: `dense` by default. */
  readonly attend?: Attend;
  /** Which slots of the cache stay: all by default. */
  readonly keep?: Keep;
  /** What outlives the model's window: nothing by default. */
  readonly remember?: Remember;
  readonly steer?: readonly Steer[];
  readonly probes?: readonly Probe[];
  /** Tokens the session may hold: at most, and by default, the model's window, and as many as you like with `remember`. */
  readonly contextLength?: number;
}

const maxThreads = 64;
/** Positions are 32-bit numbers, and methods add to them. */
const mostPositions = 2 ** 30;

/** A loaded model: weights on a device, a tokenizer, and the sessions that share them. */
export class Model {
  readonly name: string;
  readonly arch: Architecture;
  readonly tokenizer: Tokenizer;
  /** Tokens that a session can hold. */
  readonly contextLength: number;
  /** Bytes of the weights in memory. */
  readonly weightBytes: number;
  /** Identifies the weights: saved sessions belong to it. */
  readonly fingerprint: string;
  readonly files: FileStore;
  readonly threads: number;
  /** Which kernels it runs on. */
  readonly build: KernelBuild;
  readonly #platform: Platform;
  readonly #device: Device;
  readonly #scheduler: Scheduler;
  readonly #chatTemplate: string | undefined;
  readonly #pools = new Map<PageFormat, PagePool>();

  private constructor(
    platform: Platform,
    files: OpenedFiles,
    made: Pick<Model, 'tokenizer' | 'fingerprint'>,
    device: Device,
    decoder: Decoder,
    burst: Burst,
  ) {
    this.#platform = platform;
    this.#device = device;
    this.#scheduler = new Scheduler(decoder, burst);
    this.#chatTemplate = files.chatTemplate;
    this.name = files.name;
    this.tokenizer = made.tokenizer;
    this.fingerprint = made.fingerprint;
    this.files = platform.files;
    this.arch = decoder.arch;
    this.contextLength = decoder.arch.contextLength;
    this.weightBytes = decoder.weights.bytes;
    this.threads = device.threads;
    this.build = device.build;
  }

  /** Loads weights onto a new device. @throws LociError `bad-file`, `unsupported`, `bad-option`, `out-of-memory`, `device-failed`, `aborted`. */
  static async load(platform: Platform, open: () => Promise<OpenedFiles>, options: LoadOptions = {}): Promise<Model> {
    const threads = options.threads ?? platform.defaultThreads;
    if (!Number.isInteger(threads) || threads < 1 || threads > maxThreads) {
      throw new LociError('bad-option', `threads is ${threads}; it must be a whole number from 1 to ${maxThreads}`);
    }
    // The threads start while files are opened and read.
    const device = await Device.create(platform.device, {
      threads,
      scratchBytes: 0,
      ...(options.build && { build: options.build }),
      ...(options.observer && { observer: options.observer }),
    }).catch((error: unknown) => {
      throw asLociError(error);
    });
    try {
      const files = await open();
      try {
        return await Model.#read(platform, files, device, options);
      } finally {
        await files.close();
      }
    } catch (error) {
      await device.close();
      throw asLociError(error);
    }
  }

  static async #read(platform: Platform, files: OpenedFiles, device: Device, options: LoadOptions): Promise<Model> {
    const { description } = files;
    const arch = describe(description, isMixed(description) ? await options.mixers?.() : undefined);
    const { heads, kvHeads, headSize, width, vocabulary } = arch;
    const products = options.weights?.layout === 'progressive' ? progressiveScratch(options.weights.group) : 0;
    const own = arch.layers.map(({ mix }) => mix?.layer.scratchBytes ?? 0);
    device.reserveScratch(
      Math.max(
        matmulScratch,
        products,
        attendScratch(heads, kvHeads, headSize),
        chooseScratch(vocabulary),
        width * 4,
        ...own,
      ),
    );
    // In steps, while the threads pack, and from when the first weights are on their way to them.
    const besides = async () => {
      await nextTurn();
      return { tokenizer: await files.tokenizer(), fingerprint: await files.fingerprint() };
    };
    const [weights, { fingerprint, tokenizer }] = await Promise.all([
      loadWeights(device, arch, description.file, description.tensors, {
        floats: options.precision === 'float32' ? 'f32' : 'q8',
        ...(options.weights && { codec: options.weights }),
        ...(options.onProgress && { onProgress: options.onProgress }),
        ...(options.signal && { signal: options.signal }),
      }),
      besides(),
    ]);
    if (tokenizer.vocabularySize > arch.vocabulary) {
      const sizes = `${tokenizer.vocabularySize} tokens, but the embedding has ${arch.vocabulary} rows`;
      throw new LociError('bad-file', `${description.file}: the tokenizer has ${sizes}`);
    }
    // Other weights are another model: what was computed with these does not fit them.
    const made = options.weights ? `${fingerprint}+${options.weights.name}` : fingerprint;
    const decoder = new Decoder(device, arch, weights);
    return new Model(
      platform,
      files,
      { tokenizer, fingerprint: made },
      device,
      decoder,
      options.burst ?? (options.observer ? single : defaultBurst),
    );
  }

  /** Opens a session with an empty cache. */
  async open(options: OpenOptions = {}): Promise<Session> {
    const most = this.#longest(options);
    const { precision = 'int8', contextLength = most } = options;
    if (!Number.isInteger(contextLength) || contextLength < 1 || contextLength > most) {
      const range = `a whole number from 1 to ${most}${most === this.contextLength ? `, the window of ${this.name}` : ''}`;
      throw new LociError('bad-option', `contextLength is ${contextLength}; it must be ${range}`);
    }
    return new Session(this, precision, this.newSequence(precision, methodSet(options), contextLength));
  }

  /**
   * Opens a saved session where it was left, with the methods it was saved with; what a method's options say is not in the
   * file, so that other methods than those of a plain session are to be given again.
   * @throws LociError `bad-file` when the file is damaged or belongs to another model, `bad-option` when it was saved with
   * other methods.
   */
  async restore(path: string, options: Omit<OpenOptions, 'precision' | 'contextLength'> = {}): Promise<Session> {
    const source = await this.#platform.open(path);
    let set: MethodSet | undefined;
    let methods: OpenMethods | undefined;
    let sequence: Sequence | undefined;
    try {
      const accept = (header: SnapshotHeader): KvCache => {
        const { layers, kvHeads, headSize } = this.arch;
        const same = header.layers === layers.length && header.kvHeads === kvHeads && header.headSize === headSize;
        if (header.model !== this.fingerprint || !same) {
          throw new LociError('bad-file', `${path}: this session was saved with another model than ${this.name}`);
        }
        if (!isPageFormat(header.format) || !isPrecision(header.precision)) {
          throw new LociError(
            'bad-file',
            `${path}: unknown store "${header.format}" or precision "${header.precision}"`,
          );
        }
        set = methodSet({ store: isPageFormat(header.store) ? header.store : header.format, ...options });
        checkSaved(path, header, set);
        return this.#newCache(header.format);
      };
      const { precision } = await readSnapshot(source, accept, async ({ precision, ids, state }, cache, next) => {
        if (!set || !isPrecision(precision)) return;
        methods = this.#openMethods(set);
        await methods.restore(state, cache, next);
        sequence = new Sequence(cache, methods, this.#scheduler, precision, this.#longest(set), ids);
      });
      if (!sequence || !isPrecision(precision)) throw new LociError('bad-file', `${path}: the session is empty`);
      return new Session(this, precision, sequence);
    } catch (error) {
      methods?.close();
      throw error instanceof RangeError ? new LociError('bad-file', `${path}: ${error.message}`) : error;
    } finally {
      await source.close();
    }
  }

  /** The ids of a prompt: text gets the begin token its model expects, a conversation goes through the chat template. */
  idsOf(prompt: Prompt): Int32Array {
    if (typeof prompt === 'string') return this.#withBos(this.tokenizer.encode(prompt, { special: 'text' }));
    if ('ids' in prompt) return this.#checkedIds(prompt.ids);
    if ('messages' in prompt) return this.tokenizer.encode(this.render(prompt.messages), { special: 'parse' });
    throw new LociError('bad-option', 'embeddings have no token ids: give text, messages or ids');
  }

  /**
   * A conversation as the text that the model was trained to answer, to be encoded with `special: 'parse'`. Messages are
   * inert in it (`Tokenizer.inert`): special tokens are the template's alone.
   * @throws LociError `unsupported` without a template.
   */
  render(messages: Extract<Prompt, { messages: unknown }>['messages']): string {
    if (this.#chatTemplate === undefined) {
      throw new LociError(
        'unsupported',
        `${this.name} has no chat template: it continues text, give it a plain prompt`,
      );
    }
    const { special } = this.tokenizer;
    const text = (id: number | undefined) => (id === undefined ? '' : this.tokenizer.decode([id]));
    return renderChat(this.#chatTemplate, {
      messages,
      protect: (content) => this.tokenizer.inert(content),
      addGenerationPrompt: true,
      bosToken: text(special.bos),
      eosToken: text(special.eos),
    });
  }

  /** An empty sequence with a cache of its own; `close` it. */
  newSequence(precision: Precision, set: MethodSet, window = this.#longest(set)): Sequence {
    const methods = this.#openMethods(set);
    const cache = this.#newCache(methods.promptPool.format);
    methods.begin(cache);
    return new Sequence(cache, methods, this.#scheduler, precision, window);
  }

  /** Tokens that a session may hold. */
  #longest({ remember }: { readonly remember?: Remember | undefined }): number {
    return remember ? mostPositions : this.contextLength;
  }

  /** Ends the worker threads. Sessions of this model cannot be used afterwards. */
  async close(): Promise<void> {
    await this.#device.close();
  }

  #openMethods(set: MethodSet): OpenMethods {
    const { name, arch, fingerprint } = this;
    const scratch = () => this.#platform.scratch();
    const host = { name, arch, fingerprint, device: this.#device, scratch };
    return OpenMethods.open(set, host, (format) => this.#pool(format));
  }

  #newCache(format: PageFormat): KvCache {
    const { layers, kvHeads } = this.arch;
    const sizes = layers.map(({ mix }) => mix?.layer.stateBytes);
    const states = sizes.some((bytes) => bytes !== undefined) ? new States(this.#device, sizes) : undefined;
    return new KvCache(this.#device, this.#pool(format), layers.length, kvHeads, states);
  }

  #pool(format: PageFormat): PagePool {
    const pool = this.#pools.get(format) ?? new PagePool(this.#device, format, this.arch.headSize);
    this.#pools.set(format, pool);
    return pool;
  }

  #withBos(ids: Int32Array): Int32Array {
    const { bos } = this.tokenizer.special;
    return this.tokenizer.addBos && bos !== undefined ? Int32Array.of(bos, ...ids) : ids;
  }

  #checkedIds(source: ArrayLike<number>): Int32Array {
    const ids = Int32Array.from(source);
    for (let i = 0; i < ids.length; i++) {
      const id = source[i] ?? Number.NaN;
      if (Number.isInteger(id) && id >= 0 && id < this.arch.vocabulary) continue;
      throw new LociError('bad-option', `token ${i} is ${id}; ids go from 0 to ${this.arch.vocabulary - 1}`);
    }
    return ids;
  }
}

function methodSet({
  precision,
  store,
  attend = dense,
  keep,
  remember,
  steer = [],
  probes = [],
}: OpenOptions): MethodSet {
  const chosen = store ?? (precision === 'float32' ? 'f32' : 'f16');
  return { attend, keep, remember, store: typeof chosen === 'string' ? pages(chosen) : chosen, steer, probes };
}

/** @throws LociError `bad-option` when a session was saved with other methods than these. */
function checkSaved(path: string, saved: SavedMethods, set: MethodSet): void {
  const given = specsOf(set);
  for (const axis of ['attend', 'keep', 'store', 'remember', 'steer'] as const) {
    if (saved[axis] === given[axis]) continue;
    const [was, is] = [saved[axis], given[axis]].map((spec) => (spec === '' ? 'without any' : `with "${spec}"`));
    throw new LociError('bad-option', `${path}: this session was saved ${was} for ${axis}, and is opened ${is}`);
  }
}

function isPrecision(text: string): text is Precision {
  return text === 'int8' || text === 'float32';
}
