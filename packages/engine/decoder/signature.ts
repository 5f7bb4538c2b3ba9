import { splitsOf } from '@loci/kernels';
import type { LayerContext } from './layer.ts';
import type { Output } from './output.ts';
import { isPlain } from './segment.ts';

/**
 * All that the words of a program depend on when nothing but the model records: two programs with the same signature are the
 * same to the last word. Undefined where methods, states, losses or hidden states have a say.
 */
export function signatureOf(
  { arch, workspace, precision, n, placed }: LayerContext,
  { logitRows, chosenRows, lossRows }: Output,
  ends: number | undefined,
): string | undefined {
  if (lossRows.length > 0) return undefined;
  const segments = placed.map(({ segment, first, n: rows }) => {
    if (!isPlain(segment)) return undefined;
    const { cache, input, counts } = segment;
    const words: (string | number | undefined)[] = [
      input.kind,
      first,
      rows,
      cache.headsOf(0),
      cache.pool.format,
      counts,
    ];
    // Most layers are split as the one before.
    let splits = 0;
    for (let layer = 0; layer < arch.layers.length; layer++) {
      const own = splitsOf(rows, cache.slotsOf(layer) + rows);
      if (own !== splits) words.push(layer, own);
      splits = own;
    }
    return words.join();
  });
  if (segments.includes(undefined)) return undefined;
  return [precision, n, ends, workspace.edition, logitRows.length, chosenRows.length, ...segments].join(';');
}
