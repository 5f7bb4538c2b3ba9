import type { Host, Keep, KvCache } from 'loci';
import { z } from 'zod';
import { readHead, slotRange } from '../keeping/rows.ts';
import { scoredKeep } from '../keeping/scored.ts';
import { define } from '../methods/define.ts';
import { budget, whole } from '../methods/option.ts';

/** Knorm (Devoto et al. 2024, arXiv 2406.11430): slots whose keys are short, since those are the ones that queries find. */
export const knorm = define<Keep, ReturnType<typeof options>>({
  axis: 'keep',
  name: 'knorm',
  summary: 'the slots with the shortest keys',
  options: z.object(options()),
  create: ({ budget, recent }, base) =>
    scoredKeep({ base, budget, recent, scorer: (host) => ({ scores: (...of) => shortness(host, ...of) }) }),
});

function options() {
  return {
    budget: budget(1024, 'slots per head, or a share of the prompt as 25%'),
    recent: whole(0, 1_000_000, 0, 'slots at the end that stay in any case'),
  };
}

async function shortness(
  host: Host,
  cache: KvCache,
  layer: number,
  kvHead: number,
  candidates: number,
): Promise<Float32Array> {
  const d = host.arch.headSize;
  const { keys } = await readHead(host, cache, layer, kvHead, slotRange(0, candidates));
  return Float32Array.from(
    { length: candidates },
    (_, slot) => -Math.hypot(...keys.subarray(slot * d, (slot + 1) * d)),
  );
}
