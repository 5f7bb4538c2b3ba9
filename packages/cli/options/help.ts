import type { Option, OptionTable } from './option.ts';
import type { Positional } from './parse.ts';

interface Described {
  readonly name: string;
  readonly summary: string;
  readonly usage: readonly string[];
  readonly positionals: readonly Positional[];
  readonly options: OptionTable;
}

type Row = readonly [string, string];

const width = 100;
/** A longer name has a line of its own. */
const widestName = 36;

export function commandHelp({ name, summary, usage, positionals, options }: Described): string {
  const lines = usage.map((way, i) => `${i === 0 ? 'Usage:' : '      '} loci ${name} ${way}`.trimEnd());
  const named = positionals.map(({ name, help }): Row => [name, help]);
  const rows = Object.entries(options).map(([option, spec]): Row => [written(option, spec), spec.help]);
  return [
    summary,
    '',
    ...lines,
    '',
    ...table([...named, ...(named.length > 0 ? [['', ''] as const] : []), ...rows]),
    '',
  ].join('\n');
}

export function overview(commands: readonly { readonly name: string; readonly summary: string }[]): string {
  const rows = commands.map(({ name, summary }): Row => [name, summary]);
  return [
    'Loci: ask language models about long texts, and measure how they read them.',
    '',
    'Usage: loci COMMAND [arguments]',
    '',
    ...table(rows),
    '',
    'loci COMMAND --help lists the options of a command, loci --version tells the version.',
    '',
  ].join('\n');
}

function written(name: string, { value, repeats }: Option<unknown>): string {
  return `--${name}${value === undefined ? '' : ` ${value}`}${repeats ? ' …' : ''}`;
}

function table(rows: readonly Row[]): string[] {
  const left = Math.max(...rows.map(([name]) => name.length).filter((length) => length <= widestName));
  const indent = ' '.repeat(left + 4);
  return rows.flatMap(([name, help]) => {
    const lines = wrap(help, width - indent.length);
    if (name.length > left) return [`  ${name}`, ...lines.map((line) => `${indent}${line}`)];
    const [first = '', ...more] = lines;
    return [`  ${name.padEnd(left)}  ${first}`.trimEnd(), ...more.map((line) => `${indent}${line}`)];
  });
}

function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
