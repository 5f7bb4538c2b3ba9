/**
 * One kernel call as data: workers read it from shared memory and run it together.
 * `words` are the kernel's arguments (see the kernel's `assembly.ts`), `join` says whether all threads meet before the
 * next command; two commands that do not depend on one another need no barrier between them.
 */
export interface Command {
  readonly opcode: number;
  readonly words: readonly number[];
  readonly join: boolean;
}

/** The numbers that `assembly/walk.ts` dispatches on. */
export const opcodes = {
  embed: 1,
  norm: 2,
  quantize: 3,
  matmul: 4,
  matmulFloat: 5,
  rope: 6,
  append: 7,
  attend: 8,
  merge: 9,
  activate: 10,
  loss: 11,
  copy: 12,
  weighStates: 13,
  weigh: 14,
  fetch: 15,
  scale: 16,
  choose: 17,
  pack: 18,
  progressive: 19,
  descend: 20,
  graphRows: 23,
  graphNearest: 24,
  graphLink: 25,
  graphSearch: 26,
  similar: 27,
  chunkSums: 31,
  chunkLists: 32,
  gapFeatures: 33,
  boundaries: 34,
  progressiveFloat: 35,
  quantizeRows: 36,
  recur: 40,
  convolve: 41,
  layerNorm: 42,
  combine: 43,
  pageBounds: 46,
  boundLists: 47,
  slashLists: 48,
  delta: 49,
  gate: 50,
  repeat: 51,
} as const;

const floats = new Float32Array(1);
const bits = new Int32Array(floats.buffer);

/** A float argument as the 32-bit word that holds it. */
export function floatWord(value: number): number {
  floats[0] = value;
  return bits[0]!;
}

export function command(kernel: keyof typeof opcodes, words: readonly number[], join = true): Command {
  return { opcode: opcodes[kernel], words, join };
}

/**
 * Activations of n rows in 8 bits: bytes [columns / 32, n, 32] and meta [columns / 32, n] of 16 bytes (scale, scaled sums
 * of all 32 columns, of the first 16 and of the last 16).
 */
export interface Bytes8 {
  readonly q: number;
  readonly meta: number;
}

/** float32 rows: the first one's address, and floats from row to row. */
export interface StridedRows {
  readonly address: number;
  readonly stride: number;
}
