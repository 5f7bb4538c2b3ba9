import { choice, whole } from '../methods/option.ts';
import { type BlockPattern, type PatternName, patterns } from './patterns.ts';

export function linkOptions() {
  return {
    block: whole(1, 4096, 32, 'tokens of a block'),
    links: choice(['power', 'window', 'stride', 'dilated', 'longnet'], 'power', 'which blocks are linked'),
    window: whole(1, 1_000_000, 5, 'blocks of the window, the own one included; of dilated, those that are read'),
    sinks: whole(0, 1_000_000, 1, 'blocks at the beginning that are always read'),
    stride: whole(1, 1_000_000, 32, 'blocks between links of stride'),
  };
}

export function patternOf(
  links: PatternName,
  { window, sinks, stride }: { readonly window: number; readonly sinks: number; readonly stride: number },
): BlockPattern {
  return patterns[links](window, sinks, stride);
}
