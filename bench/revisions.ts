import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheFolder, root } from './places.ts';

/**
 * A checkout of another revision, with packages and kernels of its own; kept in bench/.cache.
 * @throws Error when there is no such revision, or it cannot be installed.
 */
export function checkout(revision: string): { readonly name: string; readonly root: string } {
  const name = git('rev-parse', '--short', '--verify', '--end-of-options', `${revision}^{commit}`);
  const folder = join(cacheFolder, 'revisions', name);
  if (!existsSync(folder)) {
    mkdirSync(dirname(folder), { recursive: true });
    git('worktree', 'prune');
    git('worktree', 'add', '--detach', '--quiet', folder, name);
  }
  // Any command of it installs what is missing and compiles the kernels first.
  const args = [join(folder, 'scripts/run.mjs'), 'loci', '--version'];
  const { status } = spawnSync(process.execPath, args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`the checkout of ${name} in ${folder} could not be installed`);
  return { name, root: folder };
}

function git(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`"git ${args.join(' ')}" failed: ${stderr.trim()}`);
  return stdout.trim();
}
