export const schedules = ['cosine', 'linear', 'cooldown', 'constant'] as const;

export interface Schedule {
  readonly steps: number;
  /** The highest rate. */
  readonly rate: number;
  /** Steps in which the rate rises to it, in equal parts. */
  readonly warmUp: number;
  /** What follows: half a cosine down to `least` times the rate at the last step, a line, a line in the last fifth, or nothing. */
  readonly kind: (typeof schedules)[number];
  readonly least: number;
}

/** The learning rate of a step, counted from 0. */
export function rateAt(step: number, { steps, rate, warmUp, kind, least }: Schedule): number {
  if (step < warmUp) return (rate * (step + 1)) / warmUp;
  const share = steps > warmUp ? Math.min(1, (step - warmUp) / (steps - warmUp)) : 1;
  const cosine = (1 + Math.cos(Math.PI * share)) / 2;
  const left = { cosine, linear: 1 - share, cooldown: Math.min(1, 5 * (1 - share)), constant: 1 }[kind];
  return rate * (least + (1 - least) * left);
}
