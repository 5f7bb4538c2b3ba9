import { slotsAreApart, splitsOf } from '@loci/kernels';
import { inputLength, type Placed } from './segment.ts';
import { maxRows } from './workspace.ts';

/**
 * How many tokens of every segment one program may take, of those that are wanted: more than one where nothing but the model
 * has a say, what comes too much can be taken back, and all are split in the same way.
 */
export function stepsOf(placed: readonly Placed[], layers: number, wanted: number): number {
  let steps = Math.min(wanted, Math.floor(maxRows / placed.length));
  for (const { segment } of placed) {
    const { cache, input, hooks, attending, remembering, choices, ahead = [] } = segment;
    const isAlone = hooks.length === 0 && !attending && !remembering && !cache.states;
    const isToken = input.kind === 'ids' && inputLength(input) === 1 && choices?.length === 1;
    if (!isAlone || !isToken || !slotsAreApart(cache.pool.format)) return 1;
    steps = Math.min(steps, 1 + ahead.length);
    for (let layer = 0; layer < layers; layer++) {
      const slots = cache.slotsOf(layer);
      while (steps > 1 && splitsOf(1, slots + steps) !== splitsOf(1, slots + 1)) steps--;
    }
  }
  return Math.max(1, steps);
}
