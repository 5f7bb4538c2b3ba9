import { finding } from '../outcome.ts';
import { gridSuite, loci, names, repeated } from '../suite.ts';

const [one, many] = [1, 8];
const kept = [
  { keep: 'snapkv:budget=256', store: 'f16' },
  { keep: 'snapkv:budget=256', store: 'q4' },
] as const;
const nameOf = ({ keep, store }: (typeof kept)[number]) => `${names.loci}, ${keep}, ${store}`;
/** Memory varies little from run to run. */
const rounds = 3;

/**
 * A WebAssembly memory never shrinks: what a method frees is there for the next text. So that it is freed shows in what seven more
 * texts, read one after the other and all kept open, add to the process.
 */
export const freed = gridSuite({
  name: 'freed',
  title: 'Resident memory of several texts with compressed caches',
  async plan(bench) {
    return {
      contestants: [loci(bench), ...kept.map((way) => loci(bench, { name: nameOf(way), ...way }))],
      workloads: [one, many].map((sequences) => ({ tokens: bench.quick ? 512 : 2048, decode: 2, sequences })),
      processes: 'fresh',
      rounds: bench.quick ? 1 : rounds,
    };
  },
  judge(cells, bench) {
    const [tokens = 0] = cells.lengths;
    const peak = (name: string, sequences: number) => cells.at(name, tokens, sequences).peakBytes.median;
    const added = (name: string) => peak(name, many) - peak(name, one);
    const size = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
    return {
      settings: `SmolLM2-135M-Instruct, ${tokens} tokens a text, the highest resident memory of the whole process. ${repeated(bench, rounds)}`,
      tables: [
        {
          head: ['peak resident memory', `${one} text`, `${many} texts`, `${many - one} more texts add`],
          rows: cells.contestants.map((name) => [
            name,
            size(peak(name, one)),
            size(peak(name, many)),
            size(added(name)),
          ]),
        },
      ],
      plots: [],
      findings: kept.map((way) =>
        finding(
          `${way.keep} in ${way.store}: what ${many - one} more texts of ${tokens} tokens add, against whole caches`,
          `${size(added(nameOf(way)))} against ${size(added(names.loci))}`,
          added(nameOf(way)) / added(names.loci),
          { atMost: 0.25 },
        ),
      ),
    };
  },
});
