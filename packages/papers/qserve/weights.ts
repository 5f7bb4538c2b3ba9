import type { ProgressiveRows } from '@loci/kernels';

/** Rounds to the nearest whole number, halves to the even one, as the papers' and PyTorch's rounding does. */
export function roundEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}

const clamp = (x: number, low: number, high: number) => Math.max(low, Math.min(high, x));

/** The largest 8-bit number of level 1: rounding to level 2 adds at most 8, so that nothing ever leaves −127 … 127. */
export const protectiveRange = 119;

/** How a group of 8-bit numbers becomes numbers of 4 bits: (q − zero) · scale. */
export interface Step {
  /** 1 … 16 */
  readonly scale: number;
  /** 0 … 15 */
  readonly zero: number;
}

/** The step for numbers from `low` ≤ 0 to `high` ≥ 0, or one wider by `extra`. */
export function stepOf(low: number, high: number, extra = 0): Step {
  const scale = clamp(roundEven((high - low) / 15) + extra, 1, 16);
  return { scale, zero: clamp(roundEven(-low / scale), 0, 15) };
}

export function quantizeInteger(x: number, { scale, zero }: Step): number {
  return clamp(roundEven(x / scale) + zero, 0, 15);
}

/** Where rounding the range to 15 steps leaves out up to 7 numbers, a wider step may be the better one. */
export function isNarrow(low: number, high: number): boolean {
  return high - low > 15 && high - low < 23;
}

/**
 * ProgressiveRows group quantisation (Lin et al. 2024, QServe, section 4.1): rows to 8-bit integers in the protective range, and
 * groups of those integers to 4 bits with an integer step.
 * @throws RangeError where groups do not divide the columns or a number is not finite.
 */
export function quantizeProgressive(
  values: Float32Array,
  rows: number,
  columns: number,
  group: number,
  range = protectiveRange,
): ProgressiveRows {
  if (columns % group !== 0) throw new RangeError(`rows of ${columns} are not a whole number of groups of ${group}`);
  const groups = columns / group;
  const q = new Uint8Array(rows * columns);
  const scale = new Uint8Array(rows * groups);
  const zero = new Uint8Array(rows * groups);
  const rowScale = new Float32Array(rows);
  const integers = new Int8Array(columns);
  for (let r = 0; r < rows; r++) {
    rowScale[r] = levelOne(values.subarray(r * columns, (r + 1) * columns), range, integers, r);
    for (let g = 0; g < groups; g++) {
      const part = integers.subarray(g * group, (g + 1) * group);
      const step = bestStep(part);
      scale[r * groups + g] = step.scale;
      zero[r * groups + g] = step.zero;
      for (let c = 0; c < group; c++) q[r * columns + g * group + c] = quantizeInteger(part[c] ?? 0, step);
    }
  }
  return { rows, columns, group, q, scale, zero, rowScale };
}

/** A row as whole numbers of −range … range; returns what they are to be multiplied by. */
function levelOne(row: Float32Array, range: number, out: Int8Array, index: number): number {
  let most = 0;
  for (const x of row) most = Math.max(most, Math.abs(x));
  if (!Number.isFinite(most)) throw new RangeError(`row ${index} holds a number that is not finite`);
  const scale = Math.f16round(most / range);
  for (const [c, x] of row.entries()) out[c] = scale > 0 ? clamp(roundEven(x / scale), -range, range) : 0;
  return scale;
}

function bestStep(part: Int8Array): Step {
  let [low, high] = [0, 0];
  for (const x of part) {
    low = Math.min(low, x);
    high = Math.max(high, x);
  }
  const step = stepOf(low, high);
  if (!isNarrow(low, high)) return step;
  const wider = stepOf(low, high, 1);
  return squaredError(part, wider) < squaredError(part, step) ? wider : step;
}

function squaredError(part: Int8Array, step: Step): number {
  let sum = 0;
  for (const x of part) sum += (x - (quantizeInteger(x, step) - step.zero) * step.scale) ** 2;
  return sum;
}

/** One step for a whole row, without 8-bit integers between: the paper's variant per channel, as groups of a row each. */
export function quantizePerRow(
  values: Float32Array,
  rows: number,
  columns: number,
): Pick<ProgressiveRows, 'q' | 'zero' | 'rowScale'> {
  const q = new Uint8Array(rows * columns);
  const zero = new Uint8Array(rows);
  const rowScale = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    const row = values.subarray(r * columns, (r + 1) * columns);
    let [low, high] = [0, 0];
    for (const x of row) {
      low = Math.min(low, x);
      high = Math.max(high, x);
    }
    const scale = Math.f16round((high - low) / 15);
    rowScale[r] = scale;
    if (scale === 0) continue;
    const z = clamp(roundEven(-low / scale), 0, 15);
    zero[r] = z;
    for (const [c, x] of row.entries()) q[r * columns + c] = clamp(roundEven(x / scale) + z, 0, 15);
  }
  return { q, zero, rowScale };
}

/** The numbers that a matrix stands for. */
export function dequantize({ rows, columns, group, q, scale, zero, rowScale }: ProgressiveRows): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, i) => {
    const g = Math.floor(i / group);
    return (rowScale[Math.floor(i / columns)] ?? 0) * ((q[i] ?? 0) - (zero[g] ?? 0)) * (scale[g] ?? 0);
  });
}

/** Activations of n tokens in 8 bits with a scale per token. */
export interface Activations {
  readonly n: number;
  /** [n, columns], −127 … 127 */
  readonly q: Int8Array;
  /** [n] */
  readonly scale: Float32Array;
}

export function quantizeActivations(x: Float32Array, n: number, columns: number): Activations {
  const q = new Int8Array(n * columns);
  const scale = new Float32Array(n);
  for (let t = 0; t < n; t++) {
    const row = x.subarray(t * columns, (t + 1) * columns);
    const s =
      Math.max(
        1e-6,
        row.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
      ) / 127;
    scale[t] = s;
    for (const [c, value] of row.entries()) q[t * columns + c] = clamp(roundEven(value / s), -127, 127);
  }
  return { n, q, scale };
}

/**
 * The integer products [n, rows]: Σ_g scale · (Σ q · x − zero · Σ x). They fit into 32 bits up to 139 000 columns, since no
 * term exceeds 121 · 127.
 */
export function integerProducts(w: ProgressiveRows, { n, q: x }: Activations): Int32Array {
  const { rows, columns, group, q, scale, zero } = w;
  const groups = columns / group;
  const out = new Int32Array(n * rows);
  for (let t = 0; t < n; t++) {
    for (let r = 0; r < rows; r++) {
      let total = 0;
      for (let g = 0; g < groups; g++) {
        let [products, sum] = [0, 0];
        for (let c = g * group; c < (g + 1) * group; c++) {
          products += (q[r * columns + c] ?? 0) * (x[t * columns + c] ?? 0);
          sum += x[t * columns + c] ?? 0;
        }
        total += (scale[r * groups + g] ?? 0) * (products - (zero[r * groups + g] ?? 0) * sum);
      }
      out[t * rows + r] = total;
    }
  }
  return out;
}

/**
 * The same by the paper's parallelism within a register: four numbers to a word are multiplied by the step at once (no product exceeds
 * 240), −zero · scale is added to every byte on its own, and what stands there are signed 8-bit weights.
 */
export function integerProductsByWords(w: ProgressiveRows, { n, q: x }: Activations): Int32Array {
  const { rows, columns, group, q, scale, zero } = w;
  const words = new Uint32Array(q.slice().buffer);
  const out = new Int32Array(n * rows);
  for (let i = 0; i < words.length; i++) {
    const g = Math.floor((4 * i) / group);
    const s = scale[g] ?? 0;
    const bias = Math.imul((-(zero[g] ?? 0) * s) & 255, 0x01010101);
    words[i] = addBytes(Math.imul(words[i] ?? 0, s), bias);
  }
  const weights = new Int8Array(words.buffer);
  for (let t = 0; t < n; t++) {
    for (let r = 0; r < rows; r++) {
      let sum = 0;
      for (let c = 0; c < columns; c++) sum += (weights[r * columns + c] ?? 0) * (x[t * columns + c] ?? 0);
      out[t * rows + r] = sum;
    }
  }
  return out;
}

/** a + b byte by byte, without carries between them. */
export function addBytes(a: number, b: number): number {
  return ((a & 0x7f7f7f7f) + (b & 0x7f7f7f7f)) ^ ((a ^ b) & 0x80808080);
}
