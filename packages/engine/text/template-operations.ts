import { childrenOf, entriesOf, integerOf, textOf, type Value } from './jinja.ts';
import { ENTRY_LENGTH, refuse, type TemplateBudget } from './template-budget.ts';

/** Longer patterns have no use in a template, and a regular expression is built from each. */
const MAX_PATTERN = 1 << 16;
const MAX_ATTRIBUTE = 256;
const MAX_INDENT = 64;
const MAX_SEPARATOR = 64;

/** The arguments of a filter or method. */
export interface Arguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

/** The interpreter passes named arguments as a mapping of a type of its own, last. */
export function splitArguments(args: readonly Value[]): Arguments {
  const last = args.at(-1);
  if (last?.type !== 'KeywordArgumentsValue') return { positional: args, named: new Map() };
  return { positional: args.slice(0, -1), named: new Map(entriesOf(last)) };
}

/** Refuses an operation on text, filter or method, that would search too long or make too much. */
export function checkTextOperation(name: string, text: string, args: Arguments, budget: TemplateBudget): void {
  switch (name) {
    case 'replace':
      checkReplace(text, textOf(args.positional[0]) ?? '', textOf(args.positional[1]) ?? '', budget);
      break;
    case 'split':
      checkSplit(text, textOf(args.positional[0]), budget);
      break;
    case 'indent':
      checkIndent(text, args, budget);
      break;
    case 'join':
      budget.expectEntries(text.length);
      budget.expectLength(text.length * (1 + separatorOf(args).length));
      break;
  }
}

function checkReplace(text: string, old: string, replacement: string, budget: TemplateBudget): void {
  if (old.length > MAX_PATTERN) throw refuse(`it replaces a text of more than ${MAX_PATTERN} characters`);
  budget.search(text.length, old.length);
  const growth = replacement.length - old.length;
  const most = old === '' ? text.length + 1 : Math.floor(text.length / old.length);
  if (growth <= 0 || text.length + most * growth <= budget.limits.valueLength) return;
  budget.expectLength(text.length + (old === '' ? most : occurrences(text, old)) * growth);
}

function checkSplit(text: string, separator: string | undefined, budget: TemplateBudget): void {
  if (separator === '') return;
  budget.search(text.length, separator?.length ?? 1);
  // Without a separator words are cut, and between two words there is white space.
  const most = separator === undefined ? text.length / 2 : occurrences(text, separator);
  budget.expectEntries(most + 1);
}

function checkIndent(text: string, args: Arguments, budget: TemplateBudget): void {
  const width = integerOf(args.positional[0] ?? args.named.get('width')) ?? 4;
  budget.expectLength(text.length + (occurrences(text, '\n') + 1) * width);
}

/** Refuses a filter on a list or mapping that would make too much or look up too long a path for each entry. */
export function checkListFilter(name: string, list: Value, args: Arguments, budget: TemplateBudget): void {
  const { length } = budget.measure(list);
  if (name === 'join') {
    budget.expectLength(length + (length / ENTRY_LENGTH) * separatorOf(args).length);
  }
  for (const value of [...args.positional, ...args.named.values()]) {
    if (['sort', 'map'].includes(name) && (textOf(value)?.length ?? 0) > MAX_ATTRIBUTE) {
      throw refuse(`it names an attribute of more than ${MAX_ATTRIBUTE} characters`);
    }
  }
}

/** Refuses JSON whose indentation or separators would outgrow what they separate. */
export function checkToJson(value: Value, args: Arguments, budget: TemplateBudget): void {
  const indent = integerOf(args.named.get('indent')) ?? 0;
  if (indent > MAX_INDENT) throw refuse(`it indents by more than ${MAX_INDENT} spaces`);
  const separators = args.named.get('separators');
  let separatorLength = 2;
  for (const separator of (separators && childrenOf(separators)) ?? []) {
    separatorLength = Math.max(separatorLength, textOf(separator)?.length ?? 0);
  }
  if (separatorLength > MAX_SEPARATOR) throw refuse(`it separates by more than ${MAX_SEPARATOR} characters`);
  const { length, nesting } = budget.measure(value);
  // Every entry brings its indentation and separators.
  budget.expectLength(length + (length / ENTRY_LENGTH) * (nesting * indent + 2 * separatorLength));
}

/**
 * What Python's `strip`, `lstrip` and `rstrip` give for a set of characters, which the interpreter would ignore;
 * `undefined` for another method or no such set.
 */
export function stripped(method: string, text: string, characters: string | undefined): string | undefined {
  if (characters === undefined || !['strip', 'lstrip', 'rstrip'].includes(method)) return undefined;
  const removed = new Set(characters);
  const kept = Array.from(text);
  let start = 0;
  let end = kept.length;
  if (method !== 'rstrip') while (start < end && removed.has(kept[start] ?? '')) start++;
  if (method !== 'lstrip') while (end > start && removed.has(kept[end - 1] ?? '')) end--;
  return kept.slice(start, end).join('');
}

function separatorOf(args: Arguments): string {
  return textOf(args.positional[0] ?? args.named.get('separator')) ?? '';
}

/** How often a text that is not empty occurs, overlaps not counted. */
function occurrences(text: string, pattern: string): number {
  let count = 0;
  for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + pattern.length)) count++;
  return count;
}
