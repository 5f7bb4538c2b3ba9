import type { Suite } from '../suite.ts';
import { lengths } from './lengths.ts';
import { line } from './line.ts';
import { stores } from './stores.ts';

/** In the order in which `all` runs them and the report shows them. */
export const suites: readonly Suite[] = [lengths, stores, line];
