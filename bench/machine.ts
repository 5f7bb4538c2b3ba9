import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { setTimeout } from 'node:timers/promises';

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
