import { Random } from '@loci/evaluate';
import type { ModelFacts } from 'loci';

/** A query head, both counted from 0. */
export interface HeadName {
  readonly layer: number;
  readonly head: number;
}

const form = /^\d{1,5}\.\d{1,5}(\+\d{1,5}\.\d{1,5})*$/;

export function isHeadList(text: string): boolean {
  return form.test(text);
}

/** Heads as options write them, `3.5+10.2` for two of layers 3 and 10: in order, each once. */
export function headsIn(text: string): readonly HeadName[] {
  const named = new Map(
    text.split('+').map((one) => {
      const [layer = 0, head = 0] = one.split('.').map(Number);
      return [`${layer}.${head}`, { layer, head }] as const;
    }),
  );
  return [...named.values()].sort((a, b) => a.layer - b.layer || a.head - b.head);
}

export function headList(heads: readonly HeadName[]): string {
  return heads.map(({ layer, head }) => `${layer}.${head}`).join('+');
}

/** Why these cannot be masked in a model; undefined when they can. */
export function unmaskable(heads: readonly HeadName[], { arch, name }: ModelFacts): string | undefined {
  const { layers, heads: h } = arch;
  const missing = heads.find(({ layer, head }) => layer >= layers.length || head >= h);
  if (missing) {
    const there = `layers go from 0 to ${layers.length - 1} and heads from 0 to ${h - 1}`;
    return `there is no head ${headList([missing])}; ${there}`;
  }
  return heads.length === layers.length * h ? `without any head ${name} cannot read` : undefined;
}

/** The heads with the highest scores, [layer][head], best first; of equal ones the first. Those without a score come last. */
export function ranked(scores: readonly (readonly number[])[]): readonly HeadName[] {
  const all = scores.flatMap((heads, layer) => heads.map((score, head) => ({ layer, head, score })));
  const worth = (score: number) => (Number.isNaN(score) ? Number.NEGATIVE_INFINITY : score);
  return all.sort((a, b) => worth(b.score) - worth(a.score)).map(({ layer, head }) => ({ layer, head }));
}

/**
 * Heads by chance to compare masked ones with: as many of every layer where it has enough, none of them among the first
 * `spared` share of the ranking.
 */
export function drawHeads(ranking: readonly HeadName[], masked: readonly HeadName[], spared: number, seed: number) {
  const random = new Random(`random heads ${seed}`);
  const open = random.shuffled(ranking.slice(Math.ceil(ranking.length * spared)));
  const drawn = new Set<HeadName>();
  for (const { layer } of masked) {
    const next = open.find((one) => one.layer === layer && !drawn.has(one)) ?? open.find((one) => !drawn.has(one));
    if (next) drawn.add(next);
  }
  return [...drawn];
}
