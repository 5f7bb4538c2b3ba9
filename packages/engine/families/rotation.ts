/** Rotary embeddings: radians per position of every pair, under the ways in which models extend their context. */

export interface Rotation {
  /** Radians per position of each pair, [rotated / 2]. */
  readonly frequencies: Float64Array;
  /** Factor on cos and sin. */
  readonly factor: number;
}

export interface RopeSettings {
  readonly theta: number;
  /** Divisors of the base frequencies, [rotated / 2]. */
  readonly divisors?: Float32Array;
  readonly scaling: RopeScaling;
}

export type RopeScaling =
  | { readonly kind: 'none' }
  | { readonly kind: 'linear'; readonly factor: number }
  | Llama3Scaling
  | YarnScaling;

export interface Llama3Scaling {
  readonly kind: 'llama3';
  readonly factor: number;
  /** Frequencies that turn less often than this over the original context are divided by the factor … */
  readonly low: number;
  /** … and those that turn more often than this are kept. */
  readonly high: number;
  /** Tokens of the original context. */
  readonly original: number;
}

export interface YarnScaling {
  readonly kind: 'yarn';
  readonly factor: number;
  /** Tokens of the original context. */
  readonly original: number;
  /** Pairs that turn more often than this over the original context keep their frequency (the paper's β). */
  readonly fast: number;
  /** Pairs that turn less often than this are interpolated (the paper's α). */
  readonly slow: number;
  /** Factor on cos and sin, the paper's √(1/t). */
  readonly attention: number;
  /** Whether the borders between the pairs are rounded outwards to whole pairs. */
  readonly wholePairs: boolean;
}

/** Frequencies of `rotated` channels: θ^(−2j / rotated) for pair j (Su et al. 2021, equation 15), then the scaling. */
export function rotationOf({ theta, divisors, scaling }: RopeSettings, rotated: number): Rotation {
  const frequencies = Float64Array.from(
    { length: rotated / 2 },
    (_, j) => theta ** ((-2 * j) / rotated) / (divisors?.[j] ?? 1),
  );
  switch (scaling.kind) {
    case 'none':
      return { frequencies, factor: 1 };
    case 'linear':
      return { frequencies: frequencies.map((frequency) => frequency / scaling.factor), factor: 1 };
    case 'llama3':
      return { frequencies: frequencies.map((frequency) => llama3(frequency, scaling)), factor: 1 };
    case 'yarn':
      return { frequencies: yarn(frequencies, theta, rotated, scaling), factor: scaling.attention };
  }
}

/** YaRN's factor on cos and sin for a context extended `factor` times (Peng et al. 2023, equation 22). */
export function yarnAttention(factor: number, weight = 1): number {
  return factor <= 1 ? 1 : 1 + 0.1 * weight * Math.log(factor);
}

/** Low frequencies are divided by the factor, high ones kept, those between mixed by wavelength (Llama 3.1's rule). */
function llama3(frequency: number, { factor, low, high, original }: Llama3Scaling): number {
  const turns = (original * frequency) / (2 * Math.PI);
  // Equal borders leave nothing between them to be mixed.
  const keep = low === high ? Number(turns >= low) : clamp((turns - low) / (high - low));
  return (frequency / factor) * (1 - keep) + frequency * keep;
}

/** "NTK-by-parts" interpolation, with the ramp over pair numbers as in YaRN's own code (Peng et al. 2023, section 3.2). */
function yarn(base: Float64Array, theta: number, rotated: number, scaling: YarnScaling): Float64Array {
  const { factor, original, fast, slow, wholePairs } = scaling;
  // The (fractional) number of the pair that turns so many times over the original context.
  const pairOf = (turns: number) => (rotated * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const low = Math.max(0, wholePairs ? Math.floor(pairOf(fast)) : pairOf(fast));
  const high = Math.min(rotated - 1, wholePairs ? Math.ceil(pairOf(slow)) : pairOf(slow));
  return base.map((frequency, j) => {
    const ramp = clamp((j - low) / Math.max(0.001, high - low));
    return (frequency / factor) * ramp + frequency * (1 - ramp);
  });
}

function clamp(x: number): number {
  return Math.min(1, Math.max(0, x));
}
