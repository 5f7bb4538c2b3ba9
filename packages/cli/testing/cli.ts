import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../main.mjs', import.meta.url));

export interface CliOptions {
  /** What stdin holds; without it stdin is empty. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A `loci` under way, without a terminal. */
export function startCli(args: readonly string[], { env }: CliOptions = {}) {
  const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, LOCI_DEBUG: '', ...env } });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const ended = once(child, 'close').then(([code]): CliResult => ({ code, stdout, stderr }));
  return { child, ended };
}

export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const { child, ended } = startCli(args, options);
  child.stdin.end(options.input ?? '');
  return ended;
}

/** A golden file of the engine. */
export function golden(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../engine/golden/${name}.json`, import.meta.url), 'utf8'));
}
