import { Allocator } from './allocator.ts';
import { control, stop, word } from './control.ts';
import type { Encoder } from './encoder.ts';
import { bestBuild, isRightOn, type KernelBuild } from './features.ts';
import type { WorkerStart, WorkerTrap } from './worker.ts';

/** What the device needs from its host: compiled kernels and threads. */
export interface DeviceHost {
  /** Bytes of the kernel module for this machine's features. */
  kernels(module: KernelModule): Promise<BufferSource>;
  startWorker(start: WorkerStart, events: WorkerEvents): Promise<WorkerHandle>;
}

/** The kernels of models, those that train them, and those that measure the machine's limits. */
export type KernelModule = KernelBuild | `${'train' | 'limits'}-${'relaxed' | 'plain'}`;

export interface WorkerEvents {
  onTrap(message: WorkerTrap): void;
  /** The worker is gone: it ended by itself, or was killed. */
  onExit(reason: string): void;
}

export interface WorkerHandle {
  terminate(): Promise<void>;
  /** Whether the worker keeps the process running: it does while a program runs, and not while it is idle. */
  keepAlive(on: boolean): void;
}

export interface DeviceOptions {
  readonly threads: number;
  /** Bytes of scratch memory that the largest kernel needs per thread. */
  readonly scratchBytes: number;
  /** Which kernels to run; by default what the machine can do. */
  readonly build?: KernelBuild;
  readonly observer?: ProgramObserver | undefined;
}

/**
 * Sees every program before it runs, and may run other programs in its place first: that is how kernels are timed by
 * themselves. What it leaves behind must be what the program overwrites.
 */
export type ProgramObserver = (
  program: Int32Array,
  run: (program: Int32Array) => Promise<void>,
) => Promise<void> | undefined;

/** A run did not happen: `aborted` leaves the device as it was, `trap` too, `dead` is the end of it. */
export class DeviceError extends Error {
  readonly reason: 'aborted' | 'trap' | 'dead' | 'memory' | 'build';

  constructor(reason: DeviceError['reason'], message: string) {
    super(message);
    this.name = 'DeviceError';
    this.reason = reason;
  }
}

const pageBytes = 65536;
// One less than 4 GiB hold: kernels compare addresses with the end of what they walk, which is to be an address too.
const maximumPages = 65535;
// Growing interrupts every thread; what is not written yet takes no memory.
const pagesAtATime = 256;
// A program of few commands; one of a model is made room for when it comes.
const programBytes = 16384;

/**
 * One shared memory of at most 4 GiB and the threads that compute on it. The main thread records programs and awaits
 * them; it never computes. A larger model is split by layers over several devices.
 */
export class Device {
  readonly threads: number;
  readonly build: KernelBuild;
  readonly #memory: WebAssembly.Memory;
  /** All of the memory; asking for it takes longer than most that is done with it. */
  #buffer: SharedArrayBuffer;
  /** The same in whole numbers. */
  #ints: Int32Array<SharedArrayBuffer>;
  readonly #allocator: Allocator;
  readonly #observer: ProgramObserver | undefined;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #workers: WorkerHandle[] = [];
  #death: DeviceError | undefined;
  /** Fails the run under way. */
  #fail: ((error: DeviceError) => void) | undefined;
  /** Why kernels trapped in this run, in words. */
  #traps: string[] = [];
  #closed = false;
  #program: { address: number; bytes: number };
  #running: Promise<unknown> = Promise.resolve();

  private constructor(
    memory: WebAssembly.Memory,
    threads: number,
    build: KernelBuild,
    observer: ProgramObserver | undefined,
  ) {
    this.#memory = memory;
    this.threads = threads;
    this.build = build;
    this.#observer = observer;
    this.#buffer = sharedBuffer(memory);
    this.#ints = new Int32Array(this.#buffer);
    this.#words = new Int32Array(this.#buffer);
    this.#allocator = new Allocator(control.address + control.bytes, (end) => this.#grow(end));
    // Before all else, so that programs that are run beside allocations seldom move what comes behind.
    this.#program = { address: this.allocate(programBytes), bytes: programBytes };
  }

  /** @throws DeviceError `memory`, and `build` for kernels that would be wrong on this machine. */
  static async create(host: DeviceHost, options: DeviceOptions): Promise<Device> {
    const { threads, scratchBytes, build, observer } = options;
    const best = bestBuild();
    const chosen = build ?? best;
    if (!isRightOn(best, chosen)) {
      throw new DeviceError('build', `kernels "${chosen}" would be wrong on this processor, whose best are "${best}"`);
    }
    const module = await WebAssembly.compile(await host.kernels(chosen));
    const memory = new WebAssembly.Memory({ initial: 1, maximum: maximumPages, shared: true });
    const device = new Device(memory, threads, chosen, observer);
    try {
      device.reserveScratch(scratchBytes);
      for (let thread = 0; thread < threads; thread++) {
        const worker = await host.startWorker(
          { module, memory, threads, thread },
          { onTrap: ({ trap }) => device.#traps.push(trap), onExit: (reason) => device.#onExit(reason) },
        );
        device.#workers.push(worker);
      }
    } catch (error) {
      await device.close();
      throw error;
    }
    return device;
  }

  /** Bytes allocated by the caller and the device itself. */
  get bytesInUse(): number {
    return this.#allocator.bytesInUse;
  }

  /** Address of `bytes` bytes aligned to 64. Contents are undefined. @throws DeviceError `memory` beyond 4 GiB. */
  allocate(bytes: number): number {
    return this.#allocator.allocate(bytes);
  }

  free(address: number): void {
    this.#allocator.free(address);
  }

  /** Gives every thread at least so many bytes of scratch memory. Not to be called while a program runs. */
  reserveScratch(bytes: number): void {
    const each = Math.ceil(bytes / 64) * 64;
    if (each <= Atomics.load(this.#words, word(control.scratchBytes))) return;
    const old = Atomics.load(this.#words, word(control.scratch)) >>> 0;
    if (old !== 0) this.free(old);
    Atomics.store(this.#words, word(control.scratch), this.allocate(each * this.threads));
    Atomics.store(this.#words, word(control.scratchBytes), each);
  }

  /** Views of device memory; valid for as long as the allocation is. */
  bytes(address: number, length: number): Uint8Array<SharedArrayBuffer> {
    return new Uint8Array(this.#buffer, address, length);
  }

  floats(address: number, length: number): Float32Array<SharedArrayBuffer> {
    return new Float32Array(this.#buffer, address, length);
  }

  ints(address: number, length: number): Int32Array<SharedArrayBuffer> {
    return new Int32Array(this.#buffer, address, length);
  }

  /** Writes one int32 at an address that divides by 4, without a view of its own. */
  setInt(address: number, value: number): void {
    this.#ints[address / 4] = value;
  }

  /**
   * Runs what is recorded by now on all threads. Runs queue up behind one another.
   * @throws DeviceError `aborted` when the signal fires (what the program wrote so far stays written), `trap` when a
   * kernel failed, `dead` when a worker is gone.
   */
  run(encoder: Encoder, signal?: AbortSignal): Promise<void> {
    const program = encoder.program();
    const next = this.#running.then(async () => {
      await this.#observer?.(program, (other) => this.#run(other, signal));
      await this.#run(program, signal);
    });
    this.#running = next.catch(() => {});
    return next;
  }

  /** Ends the workers. The run under way, those that wait and all later ones fail with `dead`. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#die(new DeviceError('dead', 'the device is closed'));
    this.#interrupt(stop.quit);
    Atomics.add(this.#words, word(control.generation), 1);
    Atomics.notify(this.#words, word(control.generation));
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  async #run(program: Int32Array, signal: AbortSignal | undefined): Promise<void> {
    if (this.#death) throw this.#death;
    if (signal?.aborted) throw new DeviceError('aborted', 'stopped before it began');
    this.#load(program);
    this.#traps = [];
    const words = this.#words;
    for (const offset of [control.stop, control.arrived, control.sleepers, control.done, control.trapped]) {
      Atomics.store(words, word(offset), 0);
    }
    const abort = () => this.#interrupt(stop.abort);
    signal?.addEventListener('abort', abort);
    try {
      Atomics.add(words, word(control.generation), 1);
      Atomics.notify(words, word(control.generation));
      // Any one keeps the process from ending.
      this.#workers[0]?.keepAlive(true);
      // A race with a promise of the device's whole life would leave something behind in it with every run.
      await new Promise<void>((resolve, reject) => {
        this.#fail = reject;
        this.#finished().then(resolve, reject);
      });
    } finally {
      this.#fail = undefined;
      signal?.removeEventListener('abort', abort);
      this.#workers[0]?.keepAlive(false);
    }
    const trapped = Atomics.load(words, word(control.trapped));
    if (trapped > 0) throw new DeviceError('trap', `a kernel failed: ${await this.#trapText(trapped)}`);
    if (Atomics.load(words, word(control.stop)) === stop.abort) throw new DeviceError('aborted', 'stopped');
  }

  #load(program: Int32Array): void {
    if (program.byteLength > this.#program.bytes) {
      const old = this.#program;
      this.#program = { address: 0, bytes: 0 };
      if (old.bytes) this.free(old.address);
      const bytes = program.byteLength * 2;
      this.#program = { address: this.allocate(bytes), bytes };
    }
    this.ints(this.#program.address, program.length).set(program);
    Atomics.store(this.#words, word(control.program), this.#program.address);
  }

  async #finished(): Promise<void> {
    const index = word(control.done);
    for (;;) {
      const done = Atomics.load(this.#words, index);
      if (done >= this.threads) return;
      const wait = Atomics.waitAsync(this.#words, index, done);
      if (wait.async) await wait.value;
    }
  }

  /** Workers' messages may come a little later than their flags; none is left over for the next run. */
  async #trapText(trapped: number): Promise<string> {
    for (let tries = 0; tries < 50 && this.#traps.length < trapped; tries++) {
      await new Promise((wake) => setTimeout(wake, 10));
    }
    return this.#traps[0] ?? 'unknown reason';
  }

  #die(error: DeviceError): void {
    this.#death ??= error;
    this.#fail?.(error);
  }

  #onExit(reason: string): void {
    if (this.#closed) return;
    this.#die(new DeviceError('dead', `a worker thread ended: ${reason}`));
    this.#interrupt(stop.failed);
  }

  #interrupt(why: number): void {
    Atomics.store(this.#words, word(control.stop), why);
    Atomics.notify(this.#words, word(control.phase));
  }

  #grow(end: number): void {
    const pages = this.#buffer.byteLength / pageBytes;
    const missing = Math.ceil(end / pageBytes) - pages;
    if (missing <= 0) return;
    try {
      this.#memory.grow(Math.max(missing, Math.min(pagesAtATime, maximumPages - pages)));
    } catch {
      throw new DeviceError(
        'memory',
        `no room for ${end} bytes: a device ends at ${maximumPages * pageBytes} bytes, or the machine has no memory left`,
      );
    }
    this.#buffer = sharedBuffer(this.#memory);
    this.#ints = new Int32Array(this.#buffer);
  }
}

/** The current buffer of a shared memory: it is replaced when the memory grows, and older ones stay valid. */
function sharedBuffer(memory: WebAssembly.Memory): SharedArrayBuffer {
  const buffer: unknown = memory.buffer;
  if (buffer instanceof SharedArrayBuffer) return buffer;
  throw new DeviceError('memory', 'this host gives no shared memory; a web page needs cross-origin isolation');
}
