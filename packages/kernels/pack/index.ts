import { type Command, command } from '../command.ts';

/** Formats of weight files that the kernel takes, in the order of the numbers it knows them by. */
export const packables = ['Q4_0', 'Q4_1', 'Q8_0', 'F16'] as const;
export type Packable = (typeof packables)[number];

export interface Pack {
  readonly type: Packable;
  /** Address of rows as they lie in the file; columns are a multiple of 32. */
  readonly source: number;
  readonly rows: number;
  readonly columns: number;
  /** Address of the packed matrix: q4x32 for Q4_0, q4x32m for Q4_1, q8x32 for the others. */
  readonly out: number;
  /** Address of a word that becomes 1 when a scale or an element is NaN or infinite. */
  readonly fault: number;
}

/** Rows of a weight file in the layout that products take: bit for bit what `packAffine` makes of them. */
export function pack({ type, source, rows, columns, out, fault }: Pack): Command {
  return command('pack', [source, packables.indexOf(type), rows, columns, out, fault]);
}
