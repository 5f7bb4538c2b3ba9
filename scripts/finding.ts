/** One claim beside what was measured, as it stands in docs/results. */
export interface Finding {
  readonly id: string;
  readonly claimed: string;
  readonly measured: Readonly<Record<string, number | string | boolean | readonly number[]>>;
  readonly holds: boolean;
  /** What the measurement says in words. */
  readonly note?: string;
  /** Single cases behind the figures. */
  readonly cases?: readonly object[];
}
