import type { Host } from 'loci';
import { choice, whole } from '../methods/option.ts';
import type { Strided } from './pattern.ts';

export function stridedOptions() {
  return {
    block: whole(1, 4096, 32, 'tokens of a block'),
    local: whole(1, 1_000_000, 4, 'blocks at the end that every head reads, the own one included'),
    stride: whole(1, 1_000_000, 3, 'of so many blocks further back a head reads one'),
    stripes: choice(['own', 'same'], 'own', 'whether heads have stripes of their own, or all that of the first'),
    rotate: choice(['no', 'yes'], 'no', 'whether stripes move on from layer to layer, so that few heads cover more'),
  };
}

export interface StridedSettings {
  readonly block: number;
  readonly local: number;
  readonly stride: number;
  readonly stripes: 'own' | 'same';
  readonly rotate: 'no' | 'yes';
}

export function stridedOf(settings: StridedSettings, { arch }: Pick<Host, 'arch'>): Strided {
  const { block, local, stride, stripes, rotate } = settings;
  return {
    ...{ block, local, stride, heads: arch.heads, same: stripes === 'same' },
    rotate: rotate === 'yes' ? arch.kvHeads : 0,
  };
}
