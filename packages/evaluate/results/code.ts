import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const packages = fileURLToPath(new URL('../..', import.meta.url));

/** A hash of the sources that results come from, tests and commands left out: other code has to compute them anew. */
export function codeVersion(): string {
  const hash = createHash('sha256');
  const files = readdirSync(packages, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/(^|[/\\])(node_modules|cli|testing)[/\\]|\.test\.ts$/.test(file))
    .sort();
  for (const file of files) hash.update(file).update(readFileSync(join(packages, file)));
  return hash.digest('hex').slice(0, 16);
}
