import { readFileSync } from 'node:fs';
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
    processor: processorName(),
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    node: process.versions.node,
    system: `${platform()} ${arch()}`,
  };
}

/** Its name; and on Linux its family and model, for virtual machines leave out of the name what tells generations apart. */
function processorName(): string {
  const name = cpus()[0]?.model ?? 'unknown processor';
  if (platform() !== 'linux') return name;
  try {
    const facts = readFileSync('/proc/cpuinfo', 'utf8');
    const [family, model] = ['cpu family', 'model'].map((key) => facts.match(new RegExp(`^${key}\\s*: (\\d+)$`, 'm'))?.[1]);
    return family && model ? `${name} (family ${family}, model ${model})` : name;
  } catch {
    return name;
  }
}
