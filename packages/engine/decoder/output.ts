import type { Device, Encoder } from '@loci/device';
import { advance, choiceWordCount, choose, copy, loss, negativeLogLikelihood } from '@loci/kernels';
import { placeChoices } from './choices.ts';
import type { LayerContext } from './layer.ts';
import { linear, normFor } from './linear.ts';
import type { Placed } from './segment.ts';
import type { Weights } from './weights.ts';
import { lossBatch, maxRows } from './workspace.ts';

/** In the place of a token that the program did not come to. */
const notReached = -2;

/** Where a program leaves logits and losses. */
export interface Output {
  readonly logitRows: readonly number[];
  /** Rows behind which a token is chosen, in order. */
  readonly chosenRows: readonly number[];
  readonly logits: number;
  readonly stride: number;
  /** Rows whose loss was computed, in order. */
  readonly lossRows: readonly number[];
  /** Tokens of every segment that the program takes, and how many end it if all segments have come to one of them. */
  readonly steps: number;
  readonly endCount: number;
}

/** Puts the numbers of the rows that want logits or a loss where the program finds them. */
export function placeOutput(device: Device, { arch, workspace: w, placed }: LayerContext, steps: number): Output {
  const stride = Math.ceil(arch.vocabulary / 8) * 8;
  const logitRows = placed.flatMap(({ segment, first }) => (segment.logits ?? []).map((row) => first + row));
  const choices = Array.from({ length: steps }, (_, step) =>
    placed.flatMap(({ segment: { choices = [], ahead = [] } }) =>
      step === 0 ? choices.map(({ choice }) => choice) : ahead.slice(step - 1, step),
    ),
  );
  const chosenRows = placed.flatMap(({ segment, first }) => (segment.choices ?? []).map(({ row }) => first + row));
  const rows = [...logitRows, ...chosenRows];
  const lossRows: number[] = [];
  const targets: number[] = [];
  for (const { segment, first } of placed) {
    segment.targets?.forEach((target, row) => {
      if (target < 0) return;
      lossRows.push(first + row);
      targets.push(target);
    });
  }
  const rooms = Math.max(rows.length, Math.min(lossRows.length, lossBatch));
  device.ints(w.targets, targets.length).set(targets);
  device.ints(w.lossRows, lossRows.length).set(lossRows);
  device.ints(w.logitRows, rows.length).set(rows);
  // Adjustments grow with every token: room for twice as many is not asked for anew soon.
  const room = (words: number) => w.growing('adjustments', 2 ** Math.ceil(Math.log2(words)));
  placeChoices(device, choices.flat(), w.choices, room);
  const ends = commonEnds(placed);
  device.ints(w.ends, ends.length).set(ends);
  device.ints(w.chosen, steps * chosenRows.length).fill(notReached);
  // Losses are taken batch by batch, in the room that the logits take afterwards.
  return {
    logitRows,
    chosenRows,
    logits: rooms > 0 ? w.growing('logits', rooms * stride) : 0,
    stride,
    lossRows,
    steps,
    endCount: ends.length,
  };
}

/** Tokens that end the text of every segment; few enough for where they are placed. */
function commonEnds(placed: readonly Placed[]): readonly number[] {
  const [first = [], ...others] = placed.map(({ segment }) => segment.ends ?? []);
  return first.filter((id) => others.every((ends) => ends.includes(id))).slice(0, maxRows);
}

/** How many steps of a program have run: all, or those before it ended by itself. */
export function stepsRun(device: Device, { workspace: w }: LayerContext, { steps, chosenRows }: Output): number {
  if (steps === 1) return 1;
  const ids = device.ints(w.chosen, steps * chosenRows.length);
  const missing = ids.indexOf(notReached);
  return missing < 0 ? steps : Math.ceil(missing / chosenRows.length);
}

/** Final norm and output head for those rows, and for no others. */
export function recordOutput(encoder: Encoder, context: LayerContext, weights: Weights, output: Output): void {
  const { arch, workspace: w, precision, step } = context;
  const { logitRows, chosenRows, lossRows, logits, stride } = output;
  const { vocabulary: v, width, normEpsilon } = arch;
  const head = (rows: number, n: number) =>
    encoder.record(
      copy({ from: w.x, stride: width, rows, n, columns: width, out: w.lastRows }),
      ...normFor(precision, [weights.output], w.lastRows, n, weights.outputNorm, normEpsilon, w.last),
      linear(precision, w.last, n, weights.output, { out: logits }),
    );
  for (let i = 0; i < lossRows.length; i += lossBatch) {
    const n = Math.min(lossBatch, lossRows.length - i);
    head(w.lossRows + i * 4, n);
    encoder.record(loss({ logits, stride, n, v, targets: w.targets + i * 4, out: w.losses + i * 8 }));
  }
  const rows = logitRows.length + chosenRows.length;
  if (rows > 0) head(w.logitRows, rows);
  if (chosenRows.length > 0) {
    const x = logits + logitRows.length * stride * 4;
    const n = chosenRows.length;
    const choices = w.choices + step * n * choiceWordCount * 4;
    encoder.record(choose({ x, stride, n, columns: v, choices, out: w.chosen + step * n * 4 }));
  }
}

/** Begins a step that goes on with the tokens that the one before it has chosen; nothing where all texts end with them. */
export function recordAdvance(encoder: Encoder, { workspace: w, placed, n, step }: LayerContext, output: Output): void {
  const tokens = { tokens: w.chosen + (step - 1) * n * 4, n, ends: w.ends, endCount: output.endCount };
  for (const { segment } of placed) {
    encoder.record(advance({ ...segment.cache.allHeads, ...tokens, join: false }));
  }
}

/** Copies a segment's part of the output of so many steps out of device memory. */
export function readOutput(
  device: Device,
  { workspace: w, arch }: LayerContext,
  output: Output,
  steps: number,
  { segment, first, n }: Placed,
): { logits: Float32Array[]; chosen: number[]; losses: Float64Array } {
  const logits = (segment.logits ?? []).map((row) => {
    const address = output.logits + output.logitRows.indexOf(first + row) * output.stride * 4;
    return device.floats(address, arch.vocabulary).slice();
  });
  const { chosenRows } = output;
  const ids = device.ints(w.chosen, steps * chosenRows.length);
  const chosen = Array.from({ length: steps }, (_, step) =>
    (segment.choices ?? []).map(({ row }) => ids[step * chosenRows.length + chosenRows.indexOf(first + row)] ?? -1),
  ).flat();
  const losses = new Float64Array(n).fill(Number.NaN);
  const pairs = device.floats(w.losses, output.lossRows.length * 2);
  for (const [i, row] of output.lossRows.entries()) {
    if (row < first || row >= first + n) continue;
    losses[row - first] = negativeLogLikelihood(pairs[2 * i] ?? Number.NaN, pairs[2 * i + 1] ?? Number.NaN);
  }
  return { logits, chosen, losses };
}
