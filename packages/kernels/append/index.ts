import { type Command, command, floatWord } from '../command.ts';

/** Slots of one page. */
export const pageSlots = 32;

/** Element formats of a page; the order is the number that kernels know them by. */
export const pageFormats = ['f32', 'f16', 'q8', 'q4', 'kv4'] as const;
export type PageFormat = (typeof pageFormats)[number];

/** Groups of 32 channels of a value, each with a scale and a minimum in 4 bits. */
export function valueGroups(d: number): number {
  return Math.ceil(d / 32);
}

/** Bytes of one page of one head: positions, keys, values, and the scales and minima of either. */
export function pageBytes(format: PageFormat, d: number): number {
  const elements = 2 * d * pageSlots;
  switch (format) {
    case 'f32':
      return 128 + 4 * elements;
    case 'f16':
      return 128 + 2 * elements;
    case 'q8':
      return 128 + elements + 384;
    case 'kv4':
      return 128 + elements / 2 + 8 * pageSlots;
    case 'q4':
      return 128 + elements / 2 + 4 * d + 4 * pageSlots * valueGroups(d);
  }
}

/** Whether the bytes of a slot do not depend on other slots: then what is appended and dropped again leaves nothing behind. */
export function slotsAreApart(format: PageFormat): boolean {
  return format !== 'q4';
}

/** What kernels know of one key/value head; `headWords` puts it into the words that they read. */
export interface Head {
  /** Address of the addresses of its pages. */
  readonly table: number;
  readonly used: number;
  /** Keys at positions below this are seen however far they lie behind. */
  readonly sinks?: number;
  /** A key is seen when it is less than this behind the query; 0 is no window. */
  readonly window?: number;
  /** Added to the scores of the first slot, in nats: a slot that stands for N tokens has ln N. */
  readonly bias?: number;
}

/** Bytes of a head's entry. */
export const headBytes = 32;

/** Which word of an entry is the number of used slots. */
export const headWordOfUsed = 1;

/** The entry of a head. */
export function headWords({ table, used, sinks = 0, window = 0, bias = 0 }: Head): readonly number[] {
  return [table, used, sinks, window, floatWord(bias * Math.LOG2E), 0, 0, 0];
}

interface Append {
  /** Addresses of float32 [n, g, d]. */
  readonly keys: number;
  readonly values: number;
  readonly n: number;
  readonly g: number;
  readonly d: number;
  /** Address of [g] entries (`headWords`); used slots are those before these n. */
  readonly heads: number;
  /** Address of int32 [n]. */
  readonly positions: number;
  readonly format: PageFormat;
  readonly join?: boolean;
}

/** Writes new keys and values behind the used slots of every head; the pages must be there. */
export function append({ keys, values, n, g, d, heads, positions, format, join }: Append): Command {
  return command('append', [keys, values, n, g, d, heads, positions, pageFormats.indexOf(format)], join);
}
