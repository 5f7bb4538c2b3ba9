import { figure, finding } from '../outcome.ts';
import { gridSuite, loci, names, peerBest, prefillRate, repeated, workloads } from '../suite.ts';

/** Prompts are read sparsely and answers with everything: what that keeps of needles is in docs/results/hip-attention.md, item 5. */
const attends = [
  'hip:k=512,sparse=prefill',
  'hip:k=1024,dense=0,share=group,sparse=prefill',
  'hip:k=512,dense=0,share=group,sparse=prefill',
] as const;
const nameOf = (attend: string) => `${names.loci}, ${attend}`;

export const sparse = gridSuite({
  name: 'sparse',
  title: 'Prefill with sparse attention',
  async plan(bench) {
    return {
      contestants: [
        loci(bench),
        ...attends.map((attend) => loci(bench, { name: nameOf(attend), attend })),
        await peerBest(bench),
      ],
      workloads: workloads([bench.quick ? 2048 : 8000], 4),
      processes: 'kept',
    };
  },
  judge(cells, bench) {
    const [tokens = 0] = cells.lengths;
    const rate = (name: string) => prefillRate(cells.at(name, tokens));
    const against = (attend: string, other: string, what: string, atLeast: number) =>
      finding(
        `${attend}: prefill of ${tokens} tokens, ${what}`,
        `${figure(rate(nameOf(attend)))} against ${figure(rate(other))} tokens/s`,
        rate(nameOf(attend)) / rate(other),
        { atLeast },
      );
    return {
      settings: `SmolLM2-135M-Instruct, f16 cache. ${repeated(bench)}`,
      tables: [cells.prefillTable()],
      plots: [],
      findings: attends.flatMap((attend) => [
        against(attend, names.loci, 'our own dense', 1.6),
        against(attend, names.peerBest, "the peer's best", 3),
      ]),
    };
  },
});
