import { type Command, type Described, describeCommand, type Work } from '@loci/kernels';
import type { ProgramObserver } from '../device.ts';
import { commandsOf, Encoder } from '../encoder.ts';

/** All calls of one kernel with matrices (or a cache) of one shape in one program. */
export interface KernelTime {
  readonly kernel: string;
  readonly shape: string;
  readonly calls: number;
  /** Median over the programs, without what it takes to wake the threads. */
  readonly ms: number;
  /** Of all calls together. */
  readonly work: Work | undefined;
}

/** Where the time of a program goes. */
export interface ProgramTime {
  /** The program as it is, all kernels in their order: median. */
  readonly programMs: number;
  /** Largest first. */
  readonly kernels: readonly KernelTime[];
}

interface Group {
  readonly described: Described;
  readonly commands: Command[];
  work: Work | undefined;
}

/**
 * Times the kernels of the programs that a device runs. The calls of a kernel (all layers of a model) become a program of
 * their own, which is timed as a whole: a call by itself takes less than to wake the threads, and one kernel's calls read
 * as much memory one after the other as in their places. What they compute is nonsense, in memory that the real program,
 * which runs last, writes anew.
 */
export class Profile {
  /** Keys in the cache when the program is done; while it is undefined programs run as usual. */
  keys: number | undefined;
  readonly #programMs: number[] = [];
  readonly #times = new Map<string, { readonly group: Group; readonly ms: number[] }>();

  readonly observer: ProgramObserver = (program, run) =>
    this.keys === undefined ? undefined : this.#observe(program, this.keys, run);

  /** What was seen since the last call. */
  take(): ProgramTime {
    const programMs = median(this.#programMs.splice(0));
    const kernels = Array.from(this.#times.values(), ({ group, ms }) => ({
      kernel: group.described.kernel,
      shape: group.described.shape,
      calls: group.commands.length,
      ms: median(ms),
      work: group.work,
    }));
    this.#times.clear();
    return { programMs, kernels: kernels.toSorted((a, b) => b.ms - a.ms) };
  }

  async #observe(program: Int32Array, keys: number, run: (program: Int32Array) => Promise<void>): Promise<void> {
    const timed = async (one: Int32Array) => {
      const started = performance.now();
      await run(one);
      return performance.now() - started;
    };
    const empty = new Encoder().program();
    const idleMs = median([
      await timed(empty),
      await timed(empty),
      await timed(empty),
      await timed(empty),
      await timed(empty),
    ]);
    this.#programMs.push((await timed(program)) - idleMs);
    for (const [key, group] of groupsOf(program, keys)) {
      const encoder = new Encoder();
      encoder.record(group.commands);
      const ms = Math.max(0, (await timed(encoder.program())) - idleMs);
      const known = this.#times.get(key);
      if (known) known.ms.push(ms);
      else this.#times.set(key, { group, ms: [ms] });
    }
  }
}

/** Commands of a program by kernel and shape, in the order of their first calls. */
function groupsOf(program: Int32Array, keys: number): ReadonlyMap<string, Group> {
  const groups = new Map<string, Group>();
  for (const command of commandsOf(program)) {
    const described = describeCommand(command, keys);
    const key = `${described.kernel} ${described.shape}`;
    const group = groups.get(key) ?? { described, commands: [], work: undefined };
    groups.set(key, group);
    group.commands.push(command);
    group.work = added(group.work, described.work);
  }
  return groups;
}

function added(sum: Work | undefined, work: Work | undefined): Work | undefined {
  if (!sum || !work) return work ?? sum;
  return { bytes: sum.bytes + work.bytes, ops: sum.ops + work.ops, arithmetic: work.arithmetic };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[sorted.length >> 1] ?? Number.NaN) + (sorted[(sorted.length - 1) >> 1] ?? Number.NaN)) / 2;
}
