// Writes the measured part of README.md from docs/results and bench/results.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Machine } from '@loci/evaluate/machine';
import { frontOf, summary, targetCount } from '../bench/report/markdown.ts';
import { readResults } from '../bench/report/result.ts';
import { table, withPart } from './marked.ts';

const root = new URL('..', import.meta.url);
interface Results {
  readonly machine: Machine;
  readonly findings: readonly {
    readonly id: string;
    readonly claimed: string;
    readonly measured: Readonly<Record<string, unknown>>;
    readonly holds: boolean;
    readonly note?: string;
  }[];
}

/** A measured value as a person would write it. */
function shown(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
  if (Array.isArray(value)) return value.map(shown).join(', ');
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value);
}

function correctness(): string {
  const file = new URL('docs/results/engine.json', root);
  if (!existsSync(file)) return '';
  const { machine, findings }: Results = JSON.parse(readFileSync(file, 'utf8'));
  const rows = findings.map(({ id, claimed, measured, holds, note }) => [
    id,
    claimed,
    [...Object.entries(measured).map(([key, value]) => `${key}: ${shown(value)}`), ...(note ? [note] : [])].join('; '),
    holds ? 'holds' : 'does not hold',
  ]);
  return [
    `Against results recorded with independent programs (\`npm run measure\`, ${machine.processor}, Node v${machine.node}):`,
    '',
    table(['', 'claimed', 'measured', ''], rows),
  ].join('\n');
}

/** Figures of the machine that was measured last, and how many targets hold on each kind. */
function speed(): string {
  const top = 'bench/results';
  const entries = readdirSync(new URL(top, root), { withFileTypes: true });
  const others = entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${top}/${name}`);
  const kinds = [top, ...others.sort()].map((folder) => ({
    folder,
    results: readResults(fileURLToPath(new URL(folder, root))),
  }));
  const newest = kinds.reduce((a, b) => ((frontOf(b.results)?.date ?? '') > (frontOf(a.results)?.date ?? '') ? b : a));
  const counts = kinds.filter((kind) => kind !== newest).map(({ results, folder }) => targetCount(results, folder));
  return [summary(newest.results, newest.folder), ...counts].filter((part) => part !== '').join('\n\n');
}

/** README.md with its generated part renewed. */
export function renewed(readme: string): string {
  const parts = [correctness(), speed()].filter((part) => part !== '');
  return withPart(readme, 'readme.ts', parts.join('\n\n'));
}

export const readmeFile = new URL('README.md', root);

if (import.meta.main) writeFileSync(readmeFile, renewed(readFileSync(readmeFile, 'utf8')));
