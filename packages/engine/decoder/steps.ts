import type { Device, Encoder } from '@loci/device';
import {
  choiceWordCount,
  repeat,
  slotsAreApart,
  splitsOf,
  stepWordCount,
  stepWordOfDone,
  stepWords,
} from '@loci/kernels';
import type { LayerContext } from './layer.ts';
import { inputLength, isPlain, type Placed } from './segment.ts';
import { maxRows } from './workspace.ts';

/** How far a program goes on with the tokens that it chooses. */
export interface Steps {
  /** Tokens of every segment that it takes. */
  readonly count: number;
  /** It ends where all segments come to one of these in the same step. */
  readonly ends: readonly number[];
}

/**
 * The steps of a program of which so many are wanted; undefined where it cannot go on by itself. It can where nothing but the
 * model has a say and what comes too much can be taken back; all steps are split in the same way.
 */
export function stepsOf(placed: readonly Placed[], layers: number, wanted: number): Steps | undefined {
  let count = Math.min(wanted, Math.floor(maxRows / placed.length));
  let ends: readonly number[] | undefined;
  for (const { segment } of placed) {
    const { cache, input, choices, ahead } = segment;
    const isToken = input.kind === 'ids' && inputLength(input) === 1 && choices?.length === 1;
    if (!ahead || !isPlain(segment) || !isToken || !slotsAreApart(cache.pool.format)) return undefined;
    count = Math.min(count, 1 + ahead.choices.length);
    for (let layer = 0; layer < layers; layer++) {
      const slots = cache.slotsOf(layer);
      while (count > 1 && splitsOf(1, slots + count) !== splitsOf(1, slots + 1)) count--;
    }
    ends = ends?.filter((id) => ahead.ends.includes(id)) ?? ahead.ends.slice(0, maxRows);
  }
  return { count: Math.max(1, count), ends: ends ?? [] };
}

export function placeSteps(device: Device, { workspace: w }: LayerContext, { count, ends }: Steps): void {
  device.ints(w.steps, stepWordCount).set(stepWords(count));
  device.ints(w.ends, ends.length).set(ends);
}

/** Ends a program that begins again for the tokens it has chosen. What later steps read lies behind what the first reads. */
export function recordRepeat(
  encoder: Encoder,
  context: LayerContext,
  ends: readonly number[],
  rotations: number,
): void {
  const { arch, workspace: w, placed, n } = context;
  const tables = Array.from({ length: rotations }, (_, i) => w.table(i)).flatMap(({ cos, sin }) => [cos, sin]);
  encoder.record(
    repeat({
      ...{ steps: w.steps, n, tokens: w.chosen, ids: w.ids, taken: w.taken, ends: w.ends, endCount: ends.length },
      heads: placed.map(({ segment }) => segment.cache.allHeads),
      blocks: [
        { address: w.positions, bytes: n * 4 },
        { address: w.choices, bytes: n * choiceWordCount * 4 },
        ...tables.map((address) => ({ address, bytes: (n * arch.rotated * 4) / 2 })),
      ],
    }),
  );
}

/** The tokens [steps][n] that a program has taken. */
export function tokensTaken(device: Device, { workspace: w, n }: LayerContext): readonly Int32Array[] {
  const done = device.ints(w.steps, stepWordCount)[stepWordOfDone] ?? 0;
  return Array.from({ length: done }, (_, step) => device.ints(w.taken + step * n * 4, n).slice());
}
