import type { Device, Encoder } from '@loci/device';
import { choose, copy, loss, negativeLogLikelihood } from '@loci/kernels';
import { placeChoices } from './choices.ts';
import type { LayerContext } from './layer.ts';
import { linear, normFor } from './linear.ts';
import type { Placed } from './segment.ts';
import type { Weights } from './weights.ts';
import { lossBatch } from './workspace.ts';

/** Where a program leaves logits and losses. */
export interface Output {
  readonly logitRows: readonly number[];
  /** Rows behind which a token is chosen, in order. */
  readonly chosenRows: readonly number[];
  readonly logits: number;
  readonly stride: number;
  /** Rows whose loss was computed, in order. */
  readonly lossRows: readonly number[];
}

/** Puts the numbers of the rows that want logits or a loss, and the choices of all steps, where the program finds them. */
export function placeOutput(device: Device, { arch, workspace: w, placed }: LayerContext, steps: number): Output {
  const stride = Math.ceil(arch.vocabulary / 8) * 8;
  const logitRows = placed.flatMap(({ segment, first }) => (segment.logits ?? []).map((row) => first + row));
  const choices = Array.from({ length: steps }, (_, step) =>
    placed.flatMap(({ segment: { choices = [], ahead } }) =>
      step === 0 ? choices.map(({ choice }) => choice) : (ahead?.choices.slice(step - 1, step) ?? []),
    ),
  ).flat();
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
  placeChoices(device, choices, w.choices, room);
  // Losses are taken batch by batch, in the room that the logits take afterwards.
  return { logitRows, chosenRows, logits: rooms > 0 ? w.growing('logits', rooms * stride) : 0, stride, lossRows };
}

/** Final norm and output head for those rows, and for no others. */
export function recordOutput(encoder: Encoder, context: LayerContext, weights: Weights, output: Output): void {
  const { arch, workspace: w, precision } = context;
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
    encoder.record(choose({ x, stride, n: chosenRows.length, columns: v, choices: w.choices, out: w.chosen }));
  }
}

/** Copies a segment's part of the output out of device memory. */
export function readOutput(
  device: Device,
  { workspace: w, arch }: LayerContext,
  output: Output,
  { segment, first, n }: Placed,
): { logits: Float32Array[]; chosen: number[]; losses: Float64Array } {
  const logits = (segment.logits ?? []).map((row) => {
    const address = output.logits + output.logitRows.indexOf(first + row) * output.stride * 4;
    return device.floats(address, arch.vocabulary).slice();
  });
  const ids = device.ints(w.chosen, output.chosenRows.length);
  const chosen = (segment.choices ?? []).map(({ row }) => ids[output.chosenRows.indexOf(first + row)] ?? -1);
  const losses = new Float64Array(n).fill(Number.NaN);
  const pairs = device.floats(w.losses, output.lossRows.length * 2);
  for (const [i, row] of output.lossRows.entries()) {
    if (row < first || row >= first + n) continue;
    losses[row - first] = negativeLogLikelihood(pairs[2 * i] ?? Number.NaN, pairs[2 * i + 1] ?? Number.NaN);
  }
  return { logits, chosen, losses };
}
