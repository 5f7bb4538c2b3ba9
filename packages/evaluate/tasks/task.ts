import type { ChatMessage, Tokenizer } from 'loci';

export type SpanKind = 'needle' | 'value' | 'distractor' | 'passage';

/** Tokens [start, end) of context and question, counted from the first of the context. */
export interface Span {
  readonly kind: SpanKind;
  readonly start: number;
  readonly end: number;
}

/** One question to a model with what is right, in token ids of that model. */
export interface TaskCase {
  /** Task, its options, seed and number: names the case for good. */
  readonly id: string;
  /** Ids of everything before the question: the chat template's head, instructions, the document. */
  readonly context: Int32Array;
  /** Ids from the question to where the answer begins, the template's tail included. Empty where nothing is asked. */
  readonly question: Int32Array;
  /** Ids of the right answer, as it would be teacher-forced. */
  readonly answer: Int32Array;
  /** Texts that must occur in a generated answer; recall is the share that does. Empty where only losses count. */
  readonly accepted: readonly string[];
  /** Room for a generated answer. */
  readonly maxTokens: number;
  /**
   * Needles (whole statements), the values in them, statements that mislead, repeated passages: exact by construction.
   * Where a token reaches over an end, such as a space that belongs to the next word, it counts as part of the span.
   */
  readonly spans: readonly Span[];
}

/** What a task needs of a model; the engine's `Model` is one. */
export interface TaskModel {
  readonly tokenizer: Tokenizer;
  /** A conversation in the model's chat template, up to where the answer begins. */
  render(messages: readonly ChatMessage[]): string;
}

export interface CaseOptions {
  /** Tokens of context and question together: at most, and as near as the task's smallest piece allows. */
  readonly length: number;
  /** Cases of other seeds have nothing in common; 0 by default. */
  readonly seed?: number;
}

/** Makes case `number` of a task: the same options and number give the same case on every machine. */
export type Task<Options extends CaseOptions> = (model: TaskModel, options: Options, number: number) => TaskCase;

/** The options of a case by name; those that are not set are left out of its id. */
export type NamedOptions = Readonly<Record<string, string | number | readonly number[] | undefined>>;

/** `needle:haystack=moby-dick,length=2048,seed=0#3`: options in order of their names. */
export function caseId(task: string, options: NamedOptions, number: number): string {
  const resolved: NamedOptions = { seed: 0, ...options };
  const written = Object.entries(resolved).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${typeof value === 'object' ? value.join('..') : value}`],
  );
  return `${task}:${written.sort().join(',')}#${number}`;
}
