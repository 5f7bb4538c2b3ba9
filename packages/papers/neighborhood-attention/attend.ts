import { type Attend, LociError } from 'loci';
import { z } from 'zod';
import { attendPattern } from '../attending/pattern.ts';
import { define } from '../methods/define.ts';
import { whole } from '../methods/option.ts';
import { type Axis, checkAxis, neighboursOn } from './neighbours.ts';

/**
 * Neighbourhoods of a text that is read from left to right (Hassani et al. 2024, arXiv 2403.04690): the last tokens, every so-manyth of
 * them with a dilation, or, of a text laid out in lines of equal length, what stands near in lines above. Sinks are added
 * for models that were trained without.
 */
export const neighborhoodAttention = define<Attend, ReturnType<typeof options>>({
  axis: 'attend',
  name: 'neighborhood-attention',
  summary: 'the last tokens, with gaps between them or in lines above',
  options: z.object(options()),
  create({ window, dilation, line, sinks }, base) {
    if (line === 0 && dilation === 1)
      return { ...base, needs: { decides: ['sight'] }, sight: () => ({ sinks, window }) };
    const across: Axis = { length: line, window, dilation, causal: false };
    if (line > 0) checkLine(across);
    return attendPattern(base, {
      block: 1,
      reads: (query, key) => key < sinks || (line === 0 ? isBefore(query, key) : isAround(query, key)),
    });

    function isBefore(query: number, key: number): boolean {
      return (query - key) % dilation === 0 && (query - key) / dilation < window;
    }

    /** Lines are causal; within a line that is above, `window` neighbours lie around the token. */
    function isAround(query: number, key: number): boolean {
      const up = Math.floor(query / line) - Math.floor(key / line);
      if (up % dilation !== 0 || up / dilation >= window) return false;
      if (up === 0) return isBefore(query, key);
      const { from, to } = neighboursOn(across, query % line);
      const at = key % line;
      return at >= from && at < to && (at - from) % dilation === 0;
    }
  },
});

function options() {
  return {
    window: whole(1, 1_000_000, 512, 'neighbours, the token itself included; of lines, to either direction'),
    dilation: whole(1, 1_000_000, 1, 'only every so-manyth counts'),
    line: whole(0, 1_000_000, 0, 'tokens of a line; 0: there are no lines'),
    sinks: whole(0, 1_000_000, 0, 'tokens at the beginning that are always read'),
  };
}

function checkLine(axis: Axis): void {
  try {
    checkAxis(axis);
  } catch (error) {
    throw new LociError(
      'bad-option',
      `--attend neighborhood-attention: ${error instanceof Error ? error.message : error}`,
    );
  }
}
