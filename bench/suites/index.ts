import type { Suite } from '../suite.ts';
import { batch } from './batch.ts';
import { cold } from './cold.ts';
import { freed } from './freed.ts';
import { kept } from './kept.ts';
import { large } from './large.ts';
import { lengths } from './lengths.ts';
import { line } from './line.ts';
import { memory } from './memory.ts';
import { plain } from './plain.ts';
import { roofline } from './roofline.ts';
import { sampled } from './sampled.ts';
import { sparse } from './sparse.ts';
import { stores } from './stores.ts';
import { threads } from './threads.ts';

/** In the order in which `all` runs them. */
export const suites: readonly Suite[] = [
  lengths,
  stores,
  sampled,
  kept,
  sparse,
  cold,
  memory,
  freed,
  threads,
  batch,
  line,
  plain,
  large,
  roofline,
];
