import type { Json } from '../results/index.ts';
import type { Reproduction } from './run.ts';

/** A reproduction as the page beside its data. */
export function reproductionMarkdown({ title, paper, model, scale, date, claims }: Reproduction): string {
  const held = claims.filter(({ holds }) => holds).length;
  const rows = claims.map(({ id, claimed, measured, holds, note }) => {
    const cells = [id, claimed, inWords(measured), holds ? 'yes' : '**no**', note ?? ''];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  });
  return `${[
    `# ${title}`,
    '',
    `Written by \`loci reproduce ${paper} --${scale}\` on ${date} with ${model}: ${held} of ${claims.length} hold.`,
    '',
    '| item | claimed | measured | holds | note |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')}\n`;
}

function inWords(value: Json): string {
  if (value === null) return '–';
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
  if (typeof value !== 'object') return String(value);
  if (isList(value)) return value.map(inWords).join(', ');
  return Object.entries(value)
    .map(([name, one]) => `${name}: ${inWords(one)}`)
    .join('; ');
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
