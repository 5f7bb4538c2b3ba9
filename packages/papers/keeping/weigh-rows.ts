import { type Weigh, weigh } from '@loci/kernels';
import type { Host, LayerView } from 'loci';

/** The commands that take attention weights of the `n` rows from `first` on, of a layer whose keys are in the cache. */
export function weighRows(
  { arch }: Host,
  view: LayerView,
  { first, n }: { readonly first: number; readonly n: number },
  into: Pick<Weigh, 'states' | 'out' | 'stride' | 'rows'>,
): ReturnType<typeof weigh> {
  const { heads: h, kvHeads: g, headSize: d } = arch;
  return weigh({
    ...{ n, h, g, d, heads: view.heads, appended: view.n, scale: view.scale, window: view.window },
    queries: view.queries + 4 * first * h * d,
    positions: view.positions + 4 * first,
    format: view.format,
    ...into,
  });
}
