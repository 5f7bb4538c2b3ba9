import { median } from '@loci/evaluate/statistics';
import { figure, finding, type Outcome } from '../outcome.ts';
import { fitLine } from '../statistics.ts';
import { type Bench, gridSuite, loci, names, repeated } from '../suite.ts';

const promptTokens = 128;
const rounds = 3;
/** Steps whose median is one point of the line. */
const binSteps = 64;
/** A step above this multiple of the line, in every round, is the engine's own doing. */
const slowStep = 3;
const targets = { r2: { atLeast: 0.99 }, slowSteps: { atMost: 0 } } as const;

export const line = gridSuite({
  name: 'line',
  title: 'Decode as the context grows',
  async plan(bench) {
    const decode = bench.quick ? 1920 : 7872;
    const workload = { tokens: promptTokens, decode, sequences: 1 };
    return { contestants: [loci(bench, { oneByOne: true })], workloads: [workload], processes: 'kept', rounds };
  },
  judge: (cells, bench) => judge(cells.at(names.loci, promptTokens).leastStepsMs, bench),
});

/** Whether the times of consecutive steps lie on a straight line over the length of the context. */
export function judge(stepsMs: readonly number[], bench: Bench): Omit<Outcome, 'data'> {
  const points = Array.from({ length: Math.floor(stepsMs.length / binSteps) }, (_, bin) => {
    const middle = promptTokens + (bin + 0.5) * binSteps;
    return [middle, median(stepsMs.slice(bin * binSteps, (bin + 1) * binSteps))] as const;
  });
  const { intercept, slope, r2 } = fitLine(points);
  const expected = (tokens: number) => intercept + slope * tokens;
  const slow = stepsMs.flatMap((ms, i) => {
    const tokens = promptTokens + i;
    return ms > slowStep * expected(tokens) ? [`${figure(ms)} ms at ${tokens} tokens`] : [];
  });
  const furthest = points.reduce((most, [x, y]) => Math.max(most, Math.abs(y / expected(x) - 1)), 0);
  const last = promptTokens + stepsMs.length;
  const equation = `${figure(intercept)} ms + ${figure(slope * 1000)} ms per 1,000 tokens`;
  const steps = slow.length === 0 ? `none of ${stepsMs.length} steps` : slow.slice(0, 5).join(', ');
  return {
    settings:
      `SmolLM2-135M-Instruct, f16 cache: one text of ${last} tokens, generated behind ${promptTokens}. Of every step the ` +
      `least of all rounds; a point is the median of ${binSteps} steps. ${repeated(bench, rounds)}`,
    tables: [
      {
        head: ['line', 'R²', `furthest median of ${binSteps} steps`, `steps above ${slowStep}× the line`],
        rows: [[equation, r2.toFixed(4), `${figure(furthest * 100)} %`, steps]],
      },
    ],
    plots: [
      {
        x: { title: 'tokens in the context', scale: 'linear' },
        y: { title: 'decode, ms per token', scale: 'linear' },
        series: [
          { name: 'measured', points },
          { name: 'line', points: [promptTokens, last].map((tokens) => [tokens, expected(tokens)] as const) },
        ],
      },
    ],
    findings: [
      finding('decode time against length is a straight line: R²', equation, r2, targets.r2, ''),
      finding(`steps above ${slowStep}× the line in every round`, steps, slow.length, targets.slowSteps, ''),
    ],
  };
}
