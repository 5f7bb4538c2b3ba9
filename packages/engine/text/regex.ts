import { LociError } from '../errors.ts';

/**
 * Pre-tokenizers are written for Oniguruma (Ruby syntax), whose short-hands mean other sets of characters than
 * JavaScript's: `\s` is Unicode's White_Space, `$` is the end of any line, `X++` never gives back what it took.
 */
const SHORTHANDS: Readonly<Record<string, readonly [inClass: string, complement: string]>> = {
  s: ['\\p{White_Space}', '\\P{White_Space}'],
  d: ['\\p{Nd}', '\\P{Nd}'],
  h: ['0-9a-fA-F', ''],
};
/** Letters, marks, digits and connectors; its complement cannot be written inside a class. */
const WORD = '\\p{L}\\p{M}\\p{Nd}\\p{Pc}';
const SYNTAX_CHARACTER = /[\^$\\.*+?()[\]{}|/-]/;
const KEPT_ESCAPES = new Set(['n', 'r', 't', 'f', 'v', '0']);
/** Characters beyond ASCII that fold to an ASCII letter. */
const FOLDS: Readonly<Record<string, string>> = { s: 'ſ', k: '\u212a' };

/**
 * The JavaScript form of an Oniguruma pattern, with flags `gu`.
 * @throws LociError `unsupported` when the pattern uses something that has no equal here.
 */
export function translateRegex(source: string): RegExp {
  const pattern = new Translator(source).translate();
  try {
    return new RegExp(pattern, 'gu');
  } catch (error) {
    throw unsupported(source, 'it is not a valid expression', error);
  }
}

/** The pattern that matches a text literally, with flags `gu`. */
export function literalRegex(text: string): RegExp {
  return new RegExp(text.replace(/[\^$\\.*+?()[\]{}|/]/g, '\\$&'), 'gu');
}

function unsupported(source: string, reason: string, cause?: unknown): LociError {
  return new LociError('unsupported', `the tokenizer's pattern ${JSON.stringify(source)} cannot be used: ${reason}`, {
    cause,
  });
}

class Translator {
  readonly #source: string;
  #at = 0;
  /** Where the last atom of `#output` begins, so that a possessive quantifier can wrap it. */
  #atom = 0;
  #output = '';
  #atomicGroups = 0;

  constructor(source: string) {
    this.#source = source;
  }

  translate(): string {
    this.#sequence(false);
    if (this.#at < this.#source.length)
      throw unsupported(this.#source, `it closes a group at ${this.#at} that is not open`);
    return this.#output;
  }

  /** Everything up to the end or the closing parenthesis. `fold`: letters match in either case. */
  #sequence(fold: boolean): void {
    while (this.#at < this.#source.length && this.#source[this.#at] !== ')') this.#element(fold);
  }

  #element(fold: boolean): void {
    const character = this.#take();
    switch (character) {
      case '(':
        this.#group(fold);
        break;
      case '[':
        this.#append(this.#class(fold));
        break;
      case '\\':
        this.#append(this.#escape(fold));
        break;
      case '.':
        this.#append('[^\\n]');
        break;
      case '^':
        this.#append('(?<![^\\n])');
        break;
      case '$':
        this.#append('(?![^\\n])');
        break;
      case '*':
      case '+':
      case '?':
      case '{':
        this.#quantifier(character);
        break;
      case '|':
        this.#output += '|';
        break;
      default:
        this.#append(this.#literal(character, fold));
    }
  }

  #group(fold: boolean): void {
    const rest = this.#source.slice(this.#at);
    const opening = /^\?(?:i:|:|=|!|<=|<!)/.exec(rest)?.[0];
    if (opening === undefined && rest.startsWith('?')) {
      throw unsupported(this.#source, `the group at ${this.#at - 1} is of a kind that is not known`);
    }
    const start = this.#output.length;
    this.#at += opening?.length ?? 0;
    this.#output += `(${opening === '?i:' || opening === undefined ? '?:' : opening}`;
    this.#sequence(fold || opening === '?i:');
    if (this.#take() !== ')') throw unsupported(this.#source, 'a group is not closed');
    this.#output += ')';
    this.#atom = start;
  }

  #quantifier(character: string): void {
    let quantifier = character;
    if (character === '{') {
      const counts = /^\d+(?:,\d*)?\}/.exec(this.#source.slice(this.#at))?.[0];
      if (counts === undefined) throw unsupported(this.#source, `the brace at ${this.#at - 1} is not a count`);
      this.#at += counts.length;
      quantifier += counts;
    }
    const modifier = this.#source[this.#at];
    if (modifier === '?') {
      this.#at++;
      this.#output += `${quantifier}?`;
    } else if (modifier === '+' && character !== '{') {
      this.#at++;
      // A look-ahead is never entered a second time, so what it captured is final.
      const name = `atomic${this.#atomicGroups++}`;
      const atom = this.#output.slice(this.#atom);
      this.#output = `${this.#output.slice(0, this.#atom)}(?:(?=(?<${name}>${atom}${quantifier}))\\k<${name}>)`;
    } else {
      this.#output += quantifier;
    }
  }

  /** A class, written flat: nested classes and intersections have no form that all engines share. */
  #class(fold: boolean): string {
    let inside = '';
    if (this.#source[this.#at] === '^') {
      this.#at++;
      inside += '^';
    }
    const start = this.#at;
    for (;;) {
      const character = this.#take();
      if (character === '') throw unsupported(this.#source, 'a class is not closed');
      if (character === ']' && this.#at - 1 > start) return `[${inside}]`;
      if (character === '[' || (character === '&' && this.#source[this.#at] === '&')) {
        throw unsupported(this.#source, `the class at ${start - 1} is nested or an intersection`);
      }
      if (character === '\\') inside += this.#escapeInClass();
      else if (character === '-') inside += this.#hyphen(start, fold);
      else if (fold && /[a-z]/i.test(character)) inside += variants(character);
      else inside += SYNTAX_CHARACTER.test(character) ? `\\${character}` : character;
    }
  }

  /** The hyphen just taken: the middle of a range, or itself at either end of the class. */
  #hyphen(start: number, fold: boolean): string {
    const isRange = this.#at - 1 > start && this.#source[this.#at] !== ']';
    if (isRange && fold) throw unsupported(this.#source, `the class at ${start - 1} is a range that ignores case`);
    return isRange ? '-' : '\\-';
  }

  #escape(fold: boolean): string {
    const name = this.#source[this.#at] ?? '';
    const upper = name.toUpperCase() === name;
    if (name.toLowerCase() === 'w') {
      this.#at++;
      return `[${upper ? '^' : ''}${WORD}]`;
    }
    const shorthand = SHORTHANDS[name.toLowerCase()];
    if (shorthand !== undefined) {
      this.#at++;
      return `[${upper ? '^' : ''}${shorthand[0]}]`;
    }
    if (/[a-zA-Z0-9]/.test(name)) return this.#sharedEscape();
    this.#at++;
    return this.#literal(name, fold);
  }

  #escapeInClass(): string {
    const name = this.#source[this.#at] ?? '';
    const upper = name.toUpperCase() === name;
    const shorthand = name === 'w' ? [WORD, ''] : SHORTHANDS[name.toLowerCase()];
    const set = shorthand?.[upper ? 1 : 0] ?? '';
    if (shorthand !== undefined && set !== '') {
      this.#at++;
      return set;
    }
    if (/[a-zA-Z0-9]/.test(name)) return this.#sharedEscape();
    this.#at++;
    return SYNTAX_CHARACTER.test(name) ? `\\${name}` : name;
  }

  /** Escapes that are written alike inside and outside a class. */
  #sharedEscape(): string {
    const rest = this.#source.slice(this.#at);
    const property = /^([pP])\{(\^?)(\w+)\}/.exec(rest);
    if (property !== null) {
      this.#at += property[0].length;
      const [, letter = 'p', caret = '', name = ''] = property;
      const negated = (letter === 'P') !== (caret === '^');
      return `\\${negated ? 'P' : 'p'}{${this.#propertyName(name)}}`;
    }
    const code = /^(?:u([0-9a-fA-F]{4})|x\{([0-9a-fA-F]+)\}|x([0-9a-fA-F]{2}))/.exec(rest);
    if (code !== null) {
      this.#at += code[0].length;
      return `\\u{${code[1] ?? code[2] ?? code[3] ?? ''}}`;
    }
    const name = this.#take();
    if (KEPT_ESCAPES.has(name)) return `\\${name}`;
    throw unsupported(this.#source, `the escape \\${name} is not known`);
  }

  #propertyName(name: string): string {
    for (const candidate of [name, `Script=${name}`]) {
      try {
        new RegExp(`\\p{${candidate}}`, 'u');
        return candidate;
      } catch {
        // Not a property of this kind; the next candidate may be.
      }
    }
    throw unsupported(this.#source, `the property ${name} is not known`);
  }

  #literal(character: string, fold: boolean): string {
    if (fold && /[a-z]/i.test(character)) return `[${variants(character)}]`;
    return SYNTAX_CHARACTER.test(character) && character !== '-' ? `\\${character}` : character;
  }

  #append(atom: string): void {
    this.#atom = this.#output.length;
    this.#output += atom;
  }

  /** The next character, or nothing at the end. */
  #take(): string {
    const code = this.#source.codePointAt(this.#at);
    if (code === undefined) return '';
    const character = String.fromCodePoint(code);
    this.#at += character.length;
    return character;
  }
}

function variants(letter: string): string {
  const lower = letter.toLowerCase();
  return lower + letter.toUpperCase() + (FOLDS[lower] ?? '');
}
