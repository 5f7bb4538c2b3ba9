import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ResultStore } from '@loci/evaluate';

/** Where results of single cases are kept, so that what was stopped goes on. */
export function openResults(): ResultStore {
  const folder = process.env['LOCI_CACHE'] ?? join(homedir(), '.cache', 'loci');
  mkdirSync(folder, { recursive: true });
  return new ResultStore(join(folder, 'results.sqlite'));
}
