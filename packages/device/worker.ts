/**
 * The life of one worker: wait for a run, walk its program, say that it is done. Works in any host whose workers may
 * block on `Atomics.wait`.
 */
import { control, stop, word } from './control.ts';

/** What a worker is given when it starts; structured-cloneable. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly threads: number;
  /** Which of the threads this one is, from 0 on. */
  readonly thread: number;
}

/** What a worker tells the main thread: a kernel trapped. */
export interface WorkerTrap {
  readonly trap: string;
}

export function serve({ module, memory, threads, thread }: WorkerStart, report: (message: WorkerTrap) => void): void {
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  // V8 gives a thread that starts while another one grows the memory the old size for good (seen in 13.6: 1 start in 600),
  // and `memory.fill` beyond that size traps. From here on growth reaches this thread; growing by nothing makes up for what did not.
  memory.grow(0);
  const walk = instance.exports['walk'];
  if (typeof walk !== 'function') throw new Error('the kernel module has no export "walk"');
  // Memory may grow; the first view still shows the control block.
  const words = new Int32Array(memory.buffer);
  let generation = 0;
  for (;;) {
    Atomics.wait(words, word(control.generation), generation);
    generation = Atomics.load(words, word(control.generation));
    if (Atomics.load(words, word(control.stop)) === stop.quit) return;
    // Addresses may lie beyond 2 GiB.
    const scratch = Atomics.load(words, word(control.scratch)) >>> 0;
    const own = scratch + thread * Atomics.load(words, word(control.scratchBytes));
    try {
      walk(Atomics.load(words, word(control.program)), control.address, threads, own);
    } catch (error) {
      Atomics.add(words, word(control.trapped), 1);
      Atomics.store(words, word(control.stop), stop.failed);
      Atomics.notify(words, word(control.phase));
      report({ trap: error instanceof Error ? error.message : String(error) });
    }
    if (Atomics.add(words, word(control.done), 1) === threads - 1) Atomics.notify(words, word(control.done));
  }
}
