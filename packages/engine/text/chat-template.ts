import { LociError } from '../errors.ts';
import { BoundedInterpreter } from './bounded-jinja.ts';
import { Environment, type Node, parseTemplate, type Scope, textOf } from './jinja.ts';
import { strftime } from './strftime.ts';
import { DEFAULT_LIMITS, refuse, TemplateBudget, type TemplateLimits } from './template-budget.ts';

/** What a template can be given. */
export type TemplateValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly TemplateValue[]
  | { readonly [name: string]: TemplateValue };

/** One turn of a conversation; templates read other fields than these two as well, such as `tool_calls`. */
export interface ChatMessage {
  readonly role: string;
  readonly content?: TemplateValue;
  readonly [field: string]: TemplateValue;
}

export interface RenderChatOptions {
  readonly messages: readonly ChatMessage[];
  /**
   * Applied to every text in `messages`, `tools` and `extra`: `Tokenizer.inert` keeps them from being read as special
   * tokens, which are the template's to write.
   */
  readonly protect?: ((text: string) => string) | undefined;
  /** Ends the text where the model's answer is to begin. */
  readonly addGenerationPrompt: boolean;
  readonly bosToken?: string | undefined;
  readonly eosToken?: string | undefined;
  /** Functions the model may call, as JSON schemas. */
  readonly tools?: readonly TemplateValue[] | undefined;
  /** Further variables, such as `enable_thinking`. */
  readonly extra?: Readonly<Record<string, TemplateValue>> | undefined;
  /** The moment that `strftime_now` tells; the present by default. */
  readonly now?: Date | undefined;
  readonly limits?: Partial<TemplateLimits> | undefined;
}

/** The interpreter strips white space before and around tags by expressions that are quadratic in its length. */
const MAX_BLANK_RUN = 512;
const LONG_BLANK = new RegExp(`\\s{${MAX_BLANK_RUN}}`);
const MAX_REASON = 500;

/**
 * The text of a conversation in the form a model was trained on: a Jinja template as in `tokenizer.chat_template` of
 * a GGUF file or `chat_template` of a tokenizer_config.json, with the variables and functions that `transformers`
 * defines. Encode the result with `special: 'parse'`.
 *
 * Templates are programs from a stranger. They are run within `limits`; what exceeds them is stopped.
 *
 * @throws LociError `bad-template` when the template is not valid, refuses the messages or exceeds a limit;
 * `bad-option` when `extra` has a name that is taken; `too-long` when the messages alone exceed the limits.
 */
export function renderChat(template: string, options: RenderChatOptions): string {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const budget = new TemplateBudget(limits);
  try {
    const program = parse(template, limits);
    const scope = createScope(options, budget);
    const output = textOf(new BoundedInterpreter(scope, program, budget).run(program)) ?? '';
    budget.expectLength(output.length);
    return output;
  } catch (error) {
    if (error instanceof LociError) throw error;
    const reason = error instanceof Error ? error.message || error.name : String(error);
    throw new LociError('bad-template', `the chat template failed: ${reason.slice(0, MAX_REASON)}`, { cause: error });
  }
}

function parse(template: string, limits: TemplateLimits): Node {
  if (template.length > limits.templateLength) {
    throw refuse(`it has ${template.length} characters, more than ${limits.templateLength}`);
  }
  if (LONG_BLANK.test(template)) throw refuse(`it has ${MAX_BLANK_RUN} blanks in a row`);
  return parseTemplate(template);
}

function createScope(options: RenderChatOptions, budget: TemplateBudget): Scope {
  const scope = new Environment();
  const now = options.now ?? new Date();
  const globals: Readonly<Record<string, unknown>> = {
    true: true,
    false: false,
    none: null,
    True: true,
    False: false,
    None: null,
    range: (...bounds: unknown[]) => range(bounds, budget),
    raise_exception: (reason: unknown) => {
      const shown = typeof reason === 'string' ? reason.slice(0, MAX_REASON) : 'it does not say why';
      throw new LociError('bad-template', `the chat template refuses these messages: ${shown}`);
    },
    strftime_now: (format: unknown) => strftime(now, typeof format === 'string' ? format.slice(0, MAX_REASON) : ''),
    add_generation_prompt: options.addGenerationPrompt,
    bos_token: options.bosToken ?? '',
    eos_token: options.eosToken ?? '',
  };
  for (const [name, value] of Object.entries(globals)) scope.set(name, value);
  const inputs = { messages: options.messages, tools: options.tools ?? null };
  const declare = (name: string, value: TemplateValue) => declareInput(scope, name, value, options.protect, budget);
  for (const [name, value] of Object.entries(inputs)) declare(name, value);
  for (const [name, value] of Object.entries({ documents: null, ...options.extra })) {
    if (name in globals || name in inputs || name === 'namespace') {
      throw new LociError('bad-option', `the variable '${name}' of a chat template cannot be set through 'extra'`);
    }
    declare(name, value);
  }
  return scope;
}

function declareInput(
  scope: Scope,
  name: string,
  value: TemplateValue,
  protect: RenderChatOptions['protect'],
  budget: TemplateBudget,
): void {
  try {
    budget.measure(scope.set(name, protect ? mapTexts(value, protect) : value));
  } catch (error) {
    throw new LociError('too-long', `'${name}' is too large or too deeply nested for a chat template`, {
      cause: error,
    });
  }
}

/** The value with every text in it replaced, names of fields included. */
function mapTexts(value: TemplateValue, replace: (text: string) => string): TemplateValue {
  if (typeof value === 'string') return replace(value);
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.map((item) => mapTexts(item, replace));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [replace(name), mapTexts(item, replace)]));
}

/** `Array.isArray` does not tell a readonly list from a mapping. */
function isList(value: TemplateValue): value is readonly TemplateValue[] {
  return Array.isArray(value);
}

/** Python's `range`, refused before it becomes large. */
function range(bounds: readonly unknown[], budget: TemplateBudget): number[] {
  const [first = 0, second, step = 1] = bounds;
  const start = second === undefined ? 0 : first;
  const stop = second === undefined ? first : second;
  if (![start, stop, step].every(Number.isSafeInteger) || typeof start !== 'number' || typeof stop !== 'number') {
    throw refuse('range() takes integers');
  }
  if (typeof step !== 'number' || step === 0) throw refuse('range() takes a step other than zero');
  const count = Math.max(0, Math.ceil((stop - start) / step));
  budget.expectEntries(count);
  return Array.from({ length: count }, (_, index) => start + index * step);
}
