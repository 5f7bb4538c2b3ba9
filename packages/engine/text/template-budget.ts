import { LociError } from '../errors.ts';
import { childrenOf, textOf, type Value } from './jinja.ts';

/** What rendering one template may cost. Templates come with model files, so they are not to be trusted. */
export interface TemplateLimits {
  /** Characters of the template. */
  readonly templateLength: number;
  /** Characters of the output and of any value on the way, each list or mapping entry counted as 64. */
  readonly valueLength: number;
  /** Characters of all values made on the way. */
  readonly totalLength: number;
  /** Nodes of the template evaluated. */
  readonly steps: number;
  /** Character comparisons when text is searched for in text. */
  readonly searchWork: number;
  readonly timeMs: number;
}

export const DEFAULT_LIMITS: TemplateLimits = {
  templateLength: 1 << 17,
  valueLength: 1 << 24,
  totalLength: 1 << 28,
  steps: 5_000_000,
  searchWork: 1 << 30,
  timeMs: 5_000,
};

/** Calls inside calls, expressions inside expressions. Each costs several frames of the JavaScript stack. */
const MAX_DEPTH = 400;
/** Lists inside lists. */
const MAX_NESTING = 100;
/** What an entry of a list or mapping counts beside its value. */
export const ENTRY_LENGTH = 64;
const SCALAR_LENGTH = 24;
/** The clock is read after so many steps, or characters made. */
const STEPS_BETWEEN_READINGS = 64;
const LENGTH_BETWEEN_READINGS = 1 << 16;

export interface Measure {
  /** Characters that the value would take when written out, about. */
  readonly length: number;
  /** Levels of lists and mappings. */
  readonly nesting: number;
}

export function refuse(reason: string): LociError {
  return new LociError('bad-template', `the chat template was stopped: ${reason}`);
}

/** Keeps account of one rendering and throws `bad-template` when it costs too much. */
export class TemplateBudget {
  readonly limits: TemplateLimits;
  readonly #deadline: number;
  readonly #measures = new WeakMap<Value, Measure>();
  #steps = 0;
  #depth = 0;
  #total = 0;
  #searchWork = 0;
  #stepsToReading = STEPS_BETWEEN_READINGS;
  #lengthToReading = LENGTH_BETWEEN_READINGS;

  constructor(limits: TemplateLimits) {
    this.limits = limits;
    this.#deadline = performance.now() + limits.timeMs;
  }

  /** One node begins; `leave` ends it. */
  enter(): void {
    this.#step();
    if (++this.#depth > MAX_DEPTH) throw refuse(`it nests calls or expressions more than ${MAX_DEPTH} deep`);
  }

  leave(): void {
    this.#depth--;
  }

  /** A value was made, or written to the output once more. */
  charge(value: Value): Measure {
    const measure = this.measure(value);
    this.#total += measure.length;
    if (this.#total > this.limits.totalLength) {
      throw refuse(`it made more than ${this.limits.totalLength} characters in all`);
    }
    this.#lengthToReading -= measure.length;
    if (this.#lengthToReading < 0) this.#readClock();
    return measure;
  }

  /** Refuses a value before it is made. */
  expectLength(length: number): void {
    if (!(length <= this.limits.valueLength)) {
      throw refuse(`it makes a value of more than ${this.limits.valueLength} characters`);
    }
  }

  /** Refuses a list before it is made. */
  expectEntries(count: number): void {
    this.expectLength(count * ENTRY_LENGTH);
  }

  /** Text of `length` characters is about to be searched for a pattern. */
  search(length: number, patternLength: number): void {
    this.#searchWork += length * Math.max(1, patternLength);
    if (this.#searchWork > this.limits.searchWork) throw refuse('it searches too much text');
    this.#readClock();
  }

  /**
   * The size of a value written out, shared parts counted each time. Every walk counts as steps; sizes of lists that
   * cannot change are remembered.
   */
  measure(value: Value): Measure {
    return this.#measure(value, MAX_NESTING);
  }

  #measure(value: Value, levelsLeft: number): Measure {
    const text = textOf(value);
    if (text !== undefined) return this.#checked({ length: text.length, nesting: 0 });
    const children = childrenOf(value);
    if (children === undefined) return { length: SCALAR_LENGTH, nesting: 0 };
    const known = this.#measures.get(value);
    if (known !== undefined) return known;

    if (levelsLeft === 0) throw refuse(`it nests lists more than ${MAX_NESTING} deep`);
    let length = 0;
    let nesting = 0;
    let isFixed = value.type !== 'NamespaceValue';
    for (const child of children) {
      this.#step();
      const inner = this.#measure(child, levelsLeft - 1);
      length += inner.length + ENTRY_LENGTH;
      nesting = Math.max(nesting, inner.nesting);
      this.expectLength(length);
      isFixed &&= childrenOf(child) === undefined || this.#measures.has(child);
    }
    const measure = this.#checked({ length, nesting: nesting + 1 });
    if (isFixed) this.#measures.set(value, measure);
    return measure;
  }

  #checked(measure: Measure): Measure {
    this.expectLength(measure.length);
    if (measure.nesting > MAX_NESTING) throw refuse(`it nests lists more than ${MAX_NESTING} deep`);
    return measure;
  }

  #step(): void {
    if (++this.#steps > this.limits.steps) throw refuse(`it took more than ${this.limits.steps} steps`);
    if (--this.#stepsToReading < 0) this.#readClock();
  }

  #readClock(): void {
    this.#stepsToReading = STEPS_BETWEEN_READINGS;
    this.#lengthToReading = LENGTH_BETWEEN_READINGS;
    if (performance.now() > this.#deadline) throw refuse(`it took longer than ${this.limits.timeMs} ms`);
  }
}
