import type { Architecture } from 'loci';
import { z } from 'zod';

/** Every layer for itself, as in the paper; one that is chosen by its depth; or this one. */
export function lookupOption() {
  return z
    .union([z.number(), z.string()])
    .transform(String)
    .refine((text) => /^(each|auto|\d+)$/.test(text), { message: 'it must be each, auto or the number of a layer' })
    .default('auto')
    .describe('layer whose queries look events up for all: auto, at 0.6 of the depth; each: every one for itself');
}

/**
 * The layers whose queries look events up. In SmolLM2-135M those of layer 18 of 30 find a planted fact of a book nearly always,
 * and those of the first twelve never do (README.md): what a text says is in the keys from the middle on.
 */
export function lookupLayers(lookup: string, { layers }: Pick<Architecture, 'layers'>): readonly number[] {
  const global = [...layers.keys()].filter((layer) => layers[layer]?.window === 0);
  if (lookup === 'each') return global;
  if (lookup !== 'auto') return global.filter((layer) => layer === Number(lookup));
  const wanted = Math.round(0.6 * layers.length);
  return [global.find((layer) => layer >= wanted) ?? global.at(-1)].filter((layer) => layer !== undefined);
}

/** Why a model has no such layer; undefined when it has. */
export function refusesLookup(lookup: string, arch: Pick<Architecture, 'layers'>): string | undefined {
  if (lookup === 'each' || lookup === 'auto' || lookupLayers(lookup, arch).length > 0) return undefined;
  const count = arch.layers.length;
  return Number(lookup) < count
    ? `lookup is layer ${lookup}, which sees no further than a window of its own`
    : `lookup is layer ${lookup}, and the model has ${count}`;
}
