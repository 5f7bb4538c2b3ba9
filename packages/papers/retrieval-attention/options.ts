import type { z } from 'zod';
import { whole } from '../methods/option.ts';

/** Options of the method, with defaults for contexts of about 8,000 tokens. */
export function options() {
  return {
    k: whole(0, 2048, 32, 'keys that a search finds for every query head'),
    pool: whole(1, 4096, 96, 'best keys that a search holds, at least k: more find more'),
    sinks: whole(0, 4096, 16, 'first tokens, read by every query'),
    window: whole(1, 65_536, 256, 'last tokens, read by every query'),
    degree: whole(1, 64, 16, 'links that a key gets of queries, and as many again of a search for it'),
    neighbours: whole(2, 256, 64, 'exact nearest keys of a query that links are made of'),
    build: whole(1, 4096, 32, 'best keys that the search for a key holds while the index is built'),
    queries: whole(1, 16_384, 1024, "how many of the prompt's last queries the index is built of"),
    every: whole(1, 64, 4, 'take one query of so many'),
    from: whole(0, 1_000_000, 4096, 'keys from which on there is a graph; fewer are all compared'),
    tail: whole(1, 65_536, 512, 'tokens that leave the window before they are added to the index'),
  };
}

export type Options = z.output<z.ZodObject<ReturnType<typeof options>>>;
