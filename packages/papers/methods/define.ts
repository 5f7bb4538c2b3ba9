import { LociError } from 'loci';
import { z } from 'zod';

/** What every method of every axis has. */
export interface Named {
  readonly axis: string;
  readonly name: string;
  /** With all its options, as a command line would write it. */
  readonly spec: string;
}

/** A method as a paper's folder declares it: its options are a schema, and what reads them is made from it. */
export interface Definition<M extends Named, S extends z.ZodRawShape> {
  readonly axis: M['axis'];
  readonly name: string;
  /** One line for help and tables. */
  readonly summary: string;
  /** Every option has a default, but for those that are optional; `describe` says what it is. */
  readonly options: z.ZodObject<S>;
  /** Makes the method; `base` is what every method has. @throws LociError `bad-option`. */
  create(options: z.output<z.ZodObject<S>>, base: Pick<M, 'axis' | 'name' | 'spec'>): M;
}

/** A method that can be asked for in code, with typed options, or on a command line, as `name:option=value,…`. */
export interface MethodFactory<M extends Named, I = Readonly<Record<string, unknown>>> {
  readonly axis: M['axis'];
  readonly name: string;
  readonly summary: string;
  /** Name, what it is, and default of every option. */
  readonly options: readonly { readonly name: string; readonly help: string; readonly value: unknown }[];
  /** @throws LociError `bad-option` naming the parameter, the value and the range. */
  with(options?: I): M;
  /** From the text behind the colon. @throws LociError `bad-option` */
  parse(text: string): M;
}

export function define<M extends Named, S extends z.ZodRawShape>(
  one: Definition<M, S>,
): MethodFactory<M, z.input<z.ZodObject<S>>> {
  const { axis, name, summary } = one;
  const schema = z.strictObject(one.options.shape);
  const make = (given: unknown): M => {
    const read = schema.safeParse(given);
    if (!read.success) throw refusal(axis, name, given, read.error.issues[0], Object.keys(one.options.shape));
    const options: z.output<z.ZodObject<S>> = read.data;
    return one.create(options, { axis, name, spec: specOf(name, options) });
  };
  return {
    axis,
    name,
    summary,
    options: Object.entries(one.options.shape).map(([option, kind]) => ({
      name: option,
      help: z.globalRegistry.get(kind)?.description ?? '',
      value: z.safeParse(kind, undefined).data,
    })),
    with: (options) => make(options ?? {}),
    parse: (text) => make(pairs(axis, name, text)),
  };
}

function specOf(name: string, options: object): string {
  const parts = Object.entries(options).filter(([, value]) => value !== undefined);
  if (parts.length === 0) return name;
  return `${name}:${parts.map(([option, value]) => `${option}=${String(value)}`).join(',')}`;
}

/** `a=1,b=x` as an object of texts. */
function pairs(axis: string, name: string, text: string): Readonly<Record<string, string>> {
  if (text === '') return {};
  const read: Record<string, string> = {};
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    if (at <= 0) throw new LociError('bad-option', `--${axis} ${name}: "${part}" is not option=value`);
    const option = part.slice(0, at);
    if (Object.hasOwn(read, option)) throw new LociError('bad-option', `--${axis} ${name}: ${option} is given twice`);
    read[option] = part.slice(at + 1);
  }
  return read;
}

function refusal(
  axis: string,
  name: string,
  given: unknown,
  issue: z.core.$ZodIssue | undefined,
  known: readonly string[],
): LociError {
  if (issue?.code === 'unrecognized_keys') {
    const options = known.length === 0 ? 'it has none' : `its options are ${known.join(', ')}`;
    return new LociError('bad-option', `--${axis} ${name} has no option "${issue.keys[0]}"; ${options}`);
  }
  const option = String(issue?.path[0] ?? '');
  const value = typeof given === 'object' && given !== null ? new Map(Object.entries(given)).get(option) : given;
  return new LociError('bad-option', `--${axis} ${name}: ${option} is ${JSON.stringify(value)}; ${rangeOf(issue)}`);
}

function rangeOf(issue: z.core.$ZodIssue | undefined): string {
  switch (issue?.code) {
    case 'too_small':
      return `it must be ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`;
    case 'too_big':
      return `it must be ${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}`;
    case 'invalid_type':
      return `it must be ${issue.expected === 'int' ? 'a whole number' : `a ${issue.expected}`}`;
    case 'invalid_union':
      return 'it must be a number or a text';
    case 'invalid_value':
      return `it must be ${issue.values.map(String).join(' or ')}`;
    default:
      return issue?.message ?? 'it makes no sense';
  }
}
