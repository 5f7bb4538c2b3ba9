import { readFileSync } from 'node:fs';
import type { Random } from '@loci/evaluate';
import type { Model } from 'loci';
import { denseLayers } from '../dense-maps.ts';
import { boundaryRatio } from '../labels.ts';

/** Windows around gaps of one layer of a text, and what the label maker says of the gaps. */
export interface GapExamples {
  readonly layer: number;
  readonly gaps: Int32Array;
  /** [gaps · 2 w, c] */
  readonly windows: Float32Array;
  /** max / min of what is attended on either side. */
  readonly ratios: Float64Array;
  /** 1 where it is a boundary. */
  readonly labels: Uint8Array;
}

/** Reads a text and makes examples of some layers: of all gaps that have labels, or of so many of them by chance. */
export async function gapExamples(
  model: Model,
  ids: Int32Array,
  layers: readonly number[],
  { w, most, random }: { readonly w: number; readonly most?: number; readonly random?: Random },
): Promise<readonly GapExamples[]> {
  const { kvHeads, headSize } = model.arch;
  const c = kvHeads * headSize;
  return (await denseLayers(model, ids, layers, w)).map(({ layer, keys, ratios }) => {
    const all = Array.from(ratios.keys()).filter((gap) => !Number.isNaN(ratios[gap]));
    const chosen = random && most !== undefined ? random.shuffled(all).slice(0, most) : all;
    const gaps = Int32Array.from(chosen).sort();
    const windows = new Float32Array(gaps.length * 2 * w * c);
    for (const [i, gap] of gaps.entries()) {
      windows.set(keys.subarray((gap - w + 1) * c, (gap + w + 1) * c), i * 2 * w * c);
    }
    const own = Float64Array.from(gaps, (gap) => ratios[gap] ?? 0);
    return {
      layer,
      gaps,
      windows,
      ratios: own,
      labels: Uint8Array.from(own, (ratio) => (ratio >= boundaryRatio ? 1 : 0)),
    };
  });
}

/** Tokens [from, from + n) of a book. */
export function passage(model: Model, name: string, from: number, n: number): Int32Array {
  const book = readFileSync(new URL(`../../../../data/${name}.txt`, import.meta.url), 'utf8');
  // Some six letters to a token and a half; what is too much is cut.
  return model.tokenizer.encode(book.slice(6 * from, 6 * (from + n)), { special: 'text' }).slice(0, n);
}
