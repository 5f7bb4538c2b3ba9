import * as jinja from '@huggingface/jinja';

/**
 * The parts of `@huggingface/jinja` that Loci uses. The package's declarations import each other without file
 * extensions, so under Node's module resolution all of them are `any`; this file is where they get their types.
 */

/** A value while a template runs. What `value` holds follows from `type`; lists, mappings and text are told apart below. */
export interface Value {
  readonly type: string;
  value: unknown;
}

export type Callable = (args: Value[], scope: Scope) => Value;

/** A node of a parsed template; which fields it has follows from `type`. */
export interface Node {
  readonly type: string;
  readonly value?: unknown;
  readonly body?: readonly Node[];
  readonly alternate?: readonly Node[];
  readonly defaultBlock?: readonly Node[];
  readonly operand?: Node;
  readonly filter?: Node;
  readonly callee?: Node;
  readonly args?: readonly Node[];
  readonly argument?: Node;
  readonly object?: Node;
  readonly property?: Node;
  readonly operator?: { readonly value: string };
  readonly left?: Node;
  readonly right?: Node;
  readonly computed?: boolean;
  readonly key?: Node;
}

export interface Scope {
  /** Declares a variable, converting a JavaScript value, and returns it as the template sees it. */
  set(name: string, value: unknown): Value;
}

interface InterpreterInstance {
  run(program: Node): Value;
  /** Called for every node that is evaluated, by the interpreter itself too. */
  evaluate(node: Node | undefined, scope: Scope): Value;
}

export const Interpreter: new (scope: Scope) => InterpreterInstance = jinja.Interpreter;
export const Environment: new () => Scope = jinja.Environment;

const tokenize: (source: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }) => readonly unknown[] =
  jinja.tokenize;
const parseTokens: (tokens: readonly unknown[]) => Node = jinja.parse;

/** Parses with the white-space rules that `transformers` uses for chat templates. */
export function parseTemplate(source: string): Node {
  return parseTokens(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
}

/** A JavaScript value as a template sees it; a function gets the JavaScript values of its arguments. */
export function toValue(value: unknown): Value {
  return new Environment().set('value', value);
}

export function textOf(value: Value | undefined): string | undefined {
  return value?.type === 'StringValue' && typeof value.value === 'string' ? value.value : undefined;
}

export function integerOf(value: Value | undefined): number | undefined {
  return value?.type === 'IntegerValue' && typeof value.value === 'number' ? value.value : undefined;
}

/** The elements of a list or tuple, or the values of a mapping; `undefined` for anything else. */
export function childrenOf(value: Value): Iterable<Value> | undefined {
  const inner: unknown = value.value;
  if (Array.isArray(inner)) return inner;
  return inner instanceof Map ? inner.values() : undefined;
}

/** The entries of a mapping; none for anything else. */
export function entriesOf(value: Value): Iterable<[string, Value]> {
  const inner: unknown = value.value;
  return inner instanceof Map ? inner : [];
}

export function isCallable(value: Value): value is Value & { value: Callable } {
  return typeof value.value === 'function';
}
