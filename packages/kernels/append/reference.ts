import type { PageFormat } from './index.ts';

/** One row of keys or values in the form that a page holds it: the numbers stand for `scale · number`. */
export interface Stored {
  readonly numbers: Float64Array;
  readonly scale: number;
}

/**
 * What a page of this format keeps of a row of float32: the numbers as they are; half precision, rounded to nearest even
 * and held within ±65504; or whole numbers from −127 to 127 with one float32 scale, the largest magnitude over 127.
 */
export function stored(format: PageFormat, row: ArrayLike<number>): Stored {
  const x = Float64Array.from(row);
  switch (format) {
    case 'f32':
      return { numbers: x, scale: 1 };
    case 'f16':
      return { numbers: x.map((value) => Math.f16round(Math.max(-65504, Math.min(65504, value)))), scale: 1 };
    case 'q8': {
      const largest = x.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      // Rows below 10⁻³⁶ are zero for every purpose; their inverse would not be a float32.
      const scale = largest / 127;
      const numbers = x.map((value) => (largest > 1e-36 ? Math.round(value / scale) : 0));
      return { numbers, scale: Math.fround(scale) };
    }
  }
}
