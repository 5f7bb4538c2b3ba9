import { type Command, command, floatWord } from '../command.ts';

export interface GapFeatures {
  /** Address of float32 [n, stride]: of every row a query [c], a key [c], and for every head what it puts out [c]. */
  readonly rows: number;
  readonly n: number;
  readonly stride: number;
  readonly c: number;
  readonly heads: number;
  /** Rows on either side of a gap, at most 8. */
  readonly w: number;
  /** Address of float32 [c], which is added to what the heads put out. */
  readonly bias: number;
  /** Addresses of weight and bias of the norm, float32 [c]. */
  readonly normWeight: number;
  readonly normBias: number;
  readonly epsilon: number;
  /** Address of float32 [n, `gapWidth`]. */
  readonly out: number;
}

/** Features of a gap: two means, their distance and their product [c], and a cosine. */
export function gapWidth(c: number): number {
  return 4 * c + 1;
}

/** What the rows around every gap have to do with one another: see `gapReference`. */
export function gapFeatures(a: GapFeatures): Command {
  return command('gapFeatures', [
    ...[a.rows, a.n, a.stride, a.c, a.heads, a.w, a.bias, a.normWeight, a.normBias, floatWord(a.epsilon), a.out],
  ]);
}

export interface Boundaries {
  /** Address of float32 [n, units], to which a ReLU is still to be applied. */
  readonly hidden: number;
  readonly n: number;
  readonly units: number;
  /** Address of float32 [units]. */
  readonly weights: number;
  readonly bias: number;
  readonly w: number;
  readonly threshold: number;
  /** Gaps that are no further than this from one that has been taken are not. */
  readonly reach: number;
  /** Gaps that are taken at most. */
  readonly most: number;
  /** Rows at the end that stay in one chunk; 0: none need to. */
  readonly together: number;
  /** Of the first row. */
  readonly position: number;
  /** Address of int32: ends of chunks. */
  readonly ends: number;
  /** Chunks that are there already. */
  readonly before: number;
  /** Address of int32: how many there are now. */
  readonly count: number;
  /** Address of float32 [n], and room for n words. */
  readonly logits: number;
  readonly room: number;
}

/** Cuts n rows into chunks where the logits of gaps are largest: see `boundaryReference`. */
export function boundaries(a: Boundaries): Command {
  return command('boundaries', [
    ...[a.hidden, a.n, a.units, a.weights, floatWord(a.bias), a.w, floatWord(a.threshold), a.reach, a.most],
    ...[a.together, a.position, a.ends, a.before, a.count, a.logits, a.room],
  ]);
}
