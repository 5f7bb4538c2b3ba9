import { LociError } from 'loci';

/** One option of a command: how it is written, and how the texts given for it become a value. */
export interface Option<T> {
  /** What stands behind the name in the help; a flag has none and takes no value. */
  readonly value?: string;
  readonly help: string;
  readonly repeats?: boolean;
  /** `texts` is empty when the option is absent. @throws LociError `bad-option` naming the option, the value and the range. */
  read(texts: readonly string[], name: string): T;
}

export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** What a table of options reads: one value under the name of each. */
export type Values<S extends OptionTable> = { readonly [K in keyof S]: S[K] extends Option<infer T> ? T : never };

export interface Range {
  readonly min: number;
  readonly max: number;
}

export function flag(help: string): Option<boolean> {
  return { help, read: (texts) => texts.length > 0 };
}

export function text(value: string, help: string): Option<string | undefined> {
  return { value, help, read: ([given]) => given };
}

export function texts(value: string, help: string): Option<readonly string[]> {
  return { value, help, repeats: true, read: (given) => given };
}

export function whole(value: string, help: string, range: Range): Option<number | undefined> {
  return numeric(value, help, range, 'a whole number', Number.isSafeInteger);
}

export function number(value: string, help: string, range: Range): Option<number | undefined> {
  return numeric(value, help, range, 'a number', Number.isFinite);
}

export function choice<const C extends string>(choices: readonly C[], help: string): Option<C | undefined> {
  return {
    value: choices.join('|'),
    help,
    read([given], name) {
      if (given === undefined) return undefined;
      const found = choices.find((known) => known === given);
      if (found === undefined) throw usage(`${name} is "${given}"; it must be ${choices.join(' or ')}`);
      return found;
    },
  };
}

/** A command that was called in the wrong way. */
export function usage(message: string): LociError {
  return new LociError('bad-option', message);
}

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

function numeric(
  value: string,
  help: string,
  { min, max }: Range,
  noun: string,
  fits: (number: number) => boolean,
): Option<number | undefined> {
  return {
    value,
    help,
    read([given], name) {
      if (given === undefined) return undefined;
      const read = decimal.test(given) ? Number(given) : Number.NaN;
      if (fits(read) && read >= min && read <= max) return read;
      const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `from ${min} to ${max}`;
      throw usage(`${name} is "${given}"; it must be ${noun}, ${range}`);
    },
  };
}
