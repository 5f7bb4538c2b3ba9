/** What a suite hands to the report. */

export interface Outcome {
  /** Under which conditions, in a sentence or two. */
  readonly settings: string;
  readonly tables: readonly Table[];
  readonly plots: readonly Plot[];
  readonly findings: readonly Finding[];
  /** All that was measured, for other programs. */
  readonly data: unknown;
}

export interface Table {
  /** The first is the caption of the rows. */
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Plot {
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly { readonly name: string; readonly points: readonly (readonly [x: number, y: number])[] }[];
}

export interface Axis {
  readonly title: string;
  readonly scale: 'linear' | 'log';
}

/** One target and whether it is met. */
export interface Finding {
  readonly what: string;
  /** The two sides in words. */
  readonly measured: string;
  readonly value: number;
  /** What the value counts; most are ratios. */
  readonly unit: '×' | '';
  readonly target: Target;
  readonly holds: boolean;
}

export type Target = { readonly atLeast: number } | { readonly atMost: number };

/** A value against its target, which was given in advance. */
export function finding(
  what: string,
  measured: string,
  value: number,
  target: Target,
  unit: Finding['unit'] = '×',
): Finding {
  const holds = 'atLeast' in target ? value >= target.atLeast : value <= target.atMost;
  return { what, measured, value: Number(value.toPrecision(4)), unit, target, holds };
}

/** A number as a table shows it: three digits, or more where they stand before the point. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Number.isInteger(value)) return String(value);
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}
