import { pages, type Store } from 'loci';
import { z } from 'zod';
import { define } from '../methods/define.ts';

/**
 * QServe's cache (Lin et al. 2024, arXiv 2405.04532): every key and every value in 4 bits with a scale and a minimum of its
 * own, the newest too, so that what a session answers does not hang on how tokens were batched.
 */
export const kv4 = define<Store, Record<never, never>>({
  axis: 'store',
  name: 'kv4',
  summary: '4 bits with a scale and a minimum per key and per value (QServe)',
  options: z.object({}),
  create: (_, base) => ({ ...pages('kv4'), ...base }),
});
