import { quietLimit } from '../machine.ts';
import { type Finding, figure, type Table } from '../outcome.ts';
import type { Result } from './result.ts';

const brackets = 'In brackets behind a figure: how many times better the first row of its table is.';

/** The whole report: every target in one table, then the figures of every suite. */
export function report(results: readonly Result[]): string {
  return `${[
    '# Benchmarks',
    `Written by \`npm run bench\`; [what each suite measures](../README.md). ${brackets}`,
    ...targetTable(results),
    ...results.map((result) => section(result)),
  ].join('\n\n')}\n`;
}

/** Every target of the results in a line of its own; no table where there is none. */
export function targetTable(results: readonly Result[]): readonly string[] {
  const rows = results.flatMap(({ findings }) => findings.map(findingCells));
  if (rows.length === 0) return [];
  return [tableText({ head: ['', 'measured', 'value', 'target', 'holds'], rows })];
}

/** What the front page shows: figures by length, and how many targets are met. */
export function summary(results: readonly Result[], folder: string): string {
  const front = frontOf(results);
  const count = targetCount(results, folder);
  return front ? [section(front, 3, folder), brackets, count].join('\n\n') : count;
}

/** The suite of the front page. */
export function frontOf(results: readonly Result[]): Result | undefined {
  return results.find(({ suite }) => suite === 'lengths');
}

/** How many targets are met, on which machine and when; nothing where there are none. */
export function targetCount(results: readonly Result[], folder: string): string {
  const findings = results.flatMap((result) => result.findings);
  const held = findings.filter(({ holds }) => holds).length;
  const [first] = results;
  if (!first || findings.length === 0) return '';
  const last = results
    .map(({ date }) => date)
    .toSorted()
    .at(-1);
  const where = `${first.machine.processor}, ${last}`;
  return `${held} of ${findings.length} targets for speed and memory hold (${where}): [all figures](${folder}/README.md).`;
}

/** Figures and conditions of one suite. */
export function section(result: Result, level = 2, folder = '.'): string {
  const { suite, title, settings, tables, plots, machine, date, revision } = result;
  const { processor, cores, system, node } = machine;
  const memory = `${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB`;
  const disturbed =
    result.busyProcessors > quietLimit ? `; other programs kept ${result.busyProcessors} processors busy` : '';
  return [
    `${'#'.repeat(level)} ${title}`,
    settings,
    ...tables.map(tableText),
    ...(plots.length > 0 ? [`![${title}](${folder}/${suite}.svg)`] : []),
    `${processor}, ${cores} cores, ${memory}, ${system}, Node ${node}; ${date}, revision ${revision}${disturbed}.`,
  ].join('\n\n');
}

function findingCells({ what, measured, value, unit, target, holds }: Finding): string[] {
  const wanted = 'atLeast' in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`;
  return [what, measured, `${figure(value)}${unit}`, `${wanted}${unit}`, holds ? 'yes' : '**no**'];
}

export function tableText({ head, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '--:'))), ...rows.map(line)].join('\n');
}
