import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os';

/** Where and on what figures were measured. */
export interface Machine {
  readonly processor: string;
  /** Threads that it runs at the same time. */
  readonly cores: number;
  readonly memoryBytes: number;
  readonly node: string;
  readonly system: string;
}

export function thisMachine(): Machine {
  return {
    processor: cpus()[0]?.model ?? 'unknown processor',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    node: process.versions.node,
    system: `${platform()} ${arch()}`,
  };
}
