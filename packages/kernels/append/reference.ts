import type { PageFormat } from './index.ts';

/** One row of keys or values in the form that a page holds it: the numbers stand for `scale · number + minimum`. */
export interface Stored {
  readonly numbers: Float64Array;
  readonly scale: number;
  readonly minimum: number;
}

/** Formats whose numbers are whole bytes. */
export type RowFormat = Exclude<PageFormat, 'q4' | 'kv4'>;

/**
 * What a page of this format keeps of a row of float32: the numbers as they are; half precision, rounded to nearest even
 * and held within ±65504; or whole numbers: of a key from 0 to 127 between its smallest and its largest channel, of a
 * value from −127 to 127 with the largest magnitude at 127.
 */
export function stored(format: RowFormat, row: ArrayLike<number>, part: 'key' | 'value'): Stored {
  const x = Float64Array.from(row);
  if (format === 'f32') return { numbers: x, scale: 1, minimum: 0 };
  if (format === 'f16') {
    return { numbers: x.map((value) => Math.f16round(Math.max(-65504, Math.min(65504, value)))), scale: 1, minimum: 0 };
  }
  const low = x.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const high = x.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const minimum = part === 'key' ? low : 0;
  const range = part === 'key' ? high - low : Math.max(-low, high);
  // A range below 10⁻³⁶ is none for every purpose; its inverse would not be a float32.
  const numbers = x.map((value) => (range > 1e-36 ? Math.round((value - minimum) / (range / 127)) : 0));
  return { numbers, scale: Math.fround(range / 127), minimum };
}

/**
 * Numbers of 0 … 15 between the least and the greatest of `x`, as pages of 4 bits keep a channel of keys or 32 channels of
 * a value, and slot by slot a whole key or value; scale and minimum are halves. NaN takes no part.
 */
export function storedNibbles(x: ArrayLike<number>): Stored {
  const half = (value: number) => Math.f16round(Math.max(-65504, Math.min(65504, value)));
  const sound = Array.from(x).filter((value) => !Number.isNaN(value));
  const minimum = half(Math.min(...sound));
  const scale = half((Math.max(...sound) - minimum) / 15);
  const number = (value: number) => (scale > 0 ? Math.round((value - minimum) / scale) : 0);
  return { numbers: Float64Array.from(x, (value) => Math.max(0, Math.min(15, number(value)))), scale, minimum };
}
