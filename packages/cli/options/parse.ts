import { parseArgs } from 'node:util';
import { type OptionTable, usage, type Values } from './option.ts';

/** An argument without a name; all are needed unless `optional` says otherwise, which holds for those behind it too. */
export interface Positional {
  readonly name: string;
  readonly help: string;
  readonly optional?: boolean;
}

export interface Parsed<S extends OptionTable> {
  readonly options: Values<S>;
  readonly positionals: readonly string[];
}

/**
 * Reads the arguments of a command. Nothing is ignored: an unknown option, a value too many or too few is an error.
 * @throws LociError `bad-option`.
 */
export function parse<S extends OptionTable>(
  args: readonly string[],
  table: S,
  expected: readonly Positional[],
): Parsed<S> {
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokenize(args, table)) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const { rawName, name, value, inlineValue } = token;
    const option = Object.hasOwn(table, name) ? table[name] : undefined;
    if (!option || rawName !== `--${name}`) throw usage(`unknown option ${rawName}`);
    const earlier = given.get(name) ?? [];
    if (option.value === undefined) {
      if (value !== undefined) throw usage(`${rawName} takes no value, but "${value}" is given`);
    } else {
      if (value === undefined) throw usage(`${rawName} needs a value: ${option.value}`);
      if (!inlineValue && /^--./.test(value))
        throw usage(`${rawName} needs a value; for "${value}" write ${rawName}=${value}`);
      if (earlier.length > 0 && !option.repeats) throw usage(`${rawName} is given twice`);
    }
    given.set(name, [...earlier, value ?? '']);
  }
  checkCount(positionals, expected);
  const values = Object.entries(table).map(([name, option]) => [name, option.read(given.get(name) ?? [], `--${name}`)]);
  // Each value was read by the option of its name, which is what the type says.
  return { options: Object.fromEntries(values) as Values<S>, positionals };
}

function tokenize(args: readonly string[], table: OptionTable) {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, option]) => [
      name,
      { type: option.value === undefined ? 'boolean' : 'string' } as const,
    ]),
  );
  // Not strict, so that the errors can be said in the words of this program.
  return parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

function checkCount(positionals: readonly string[], expected: readonly Positional[]): void {
  const extra = positionals[expected.length];
  if (extra !== undefined) throw usage(`unexpected argument "${extra}" (several words need quotes around them)`);
  const missing = expected[positionals.length];
  if (missing && !missing.optional) throw usage(`${missing.name} is missing: ${missing.help}`);
}
