import { spawnSync } from 'node:child_process';
import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os';
import { setTimeout } from 'node:timers/promises';

/** Where and on what figures were measured. */
export interface Machine {
  readonly processor: string;
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

/** The commit of a checkout, with a mark when files differ from it. */
export function revisionOf(root: string): string {
  const { status, stdout } = spawnSync('git', ['describe', '--always', '--dirty', '--exclude', '*'], {
    cwd: root,
    encoding: 'utf8',
  });
  return status === 0 ? stdout.trim() : 'unknown';
}

/** Processors that other programs may use while something is measured. */
export const quietLimit = 0.1;

/** How many processors other programs keep busy, over `ms` milliseconds in which this one waits. */
export async function busyProcessors(ms = 1000): Promise<number> {
  const worked = () => cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);
  const before = worked();
  const started = performance.now();
  await setTimeout(ms);
  return (worked() - before) / (performance.now() - started);
}
