export interface Schedule {
  readonly steps: number;
  /** The highest rate. */
  readonly rate: number;
  /** Steps in which the rate rises to it, in equal parts. */
  readonly warmUp: number;
  /** What follows: half a cosine down to `least` times the rate at the last step, a line, or nothing. */
  readonly kind: 'cosine' | 'linear' | 'constant';
  readonly least: number;
}

/** The learning rate of a step, counted from 0. */
export function rateAt(step: number, { steps, rate, warmUp, kind, least }: Schedule): number {
  if (step < warmUp) return (rate * (step + 1)) / warmUp;
  const share = steps > warmUp ? Math.min(1, (step - warmUp) / (steps - warmUp)) : 1;
  const left = { cosine: (1 + Math.cos(Math.PI * share)) / 2, linear: 1 - share, constant: 1 }[kind];
  return rate * (least + (1 - least) * left);
}
