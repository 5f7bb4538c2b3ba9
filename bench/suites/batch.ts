import type { Cell } from '../grid.ts';
import { figure, finding } from '../outcome.ts';
import { decodeMs, gridSuite, loci, names, repeated } from '../suite.ts';

const together = 8;
const promptTokens = 128;
const target = { atLeast: 3 } as const;

export const batch = gridSuite({
  name: 'batch',
  title: 'Several sequences in one batch',
  async plan(bench) {
    const workload = { tokens: promptTokens, decode: bench.quick ? 16 : 64 };
    return {
      contestants: [loci(bench)],
      workloads: [1, together].map((sequences) => ({ ...workload, sequences })),
      processes: 'kept',
    };
  },
  judge(cells, bench) {
    const rate = (cell: Cell) => (cell.sequences / decodeMs(cell)) * 1000;
    const [one, many] = [1, together].map((sequences) => rate(cells.at(names.loci, promptTokens, sequences)));
    const [alone = Number.NaN, all = Number.NaN] = [one, many];
    return {
      settings: `SmolLM2-135M-Instruct, f16 cache, ${promptTokens} tokens in every sequence. ${repeated(bench)}`,
      tables: [
        {
          head: ['sequences', 'ms per step', 'tokens per second'],
          rows: cells.all.map((cell) => [String(cell.sequences), figure(decodeMs(cell)), figure(rate(cell))]),
        },
      ],
      plots: [],
      findings: [
        finding(
          `${together} sequences decoding together against one`,
          `${figure(all)} against ${figure(alone)} tokens/s`,
          all / alone,
          target,
        ),
      ],
    };
  },
});
