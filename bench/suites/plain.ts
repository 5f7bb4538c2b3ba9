import { figure, finding } from '../outcome.ts';
import { decodeMs, gridSuite, loci, prefillRate, repeated, workloads } from '../suite.ts';

const relaxed = 'Loci, relaxed SIMD';
const plainBuild = 'Loci, plain SIMD';
const promptTokens = 512;
const target = { atLeast: 0.5 } as const;

export const plain = gridSuite({
  name: 'plain',
  title: 'Without relaxed SIMD',
  async plan(bench) {
    return {
      contestants: [loci(bench, { name: relaxed }), loci(bench, { name: plainBuild, build: 'plain' })],
      workloads: workloads([promptTokens], 24),
      processes: 'kept',
    };
  },
  judge(cells, bench) {
    const [best, other] = [cells.at(relaxed, promptTokens), cells.at(plainBuild, promptTokens)];
    const [fast, slow] = [prefillRate(best), prefillRate(other)];
    const [short, long] = [decodeMs(best), decodeMs(other)];
    return {
      settings: `SmolLM2-135M-Instruct, f16 cache. ${repeated(bench)}`,
      tables: [cells.prefillTable(), cells.decodeTable()],
      plots: [],
      findings: [
        finding(
          `plain SIMD against relaxed: prefill of ${promptTokens} tokens`,
          `${figure(slow)} against ${figure(fast)} tokens/s`,
          slow / fast,
          target,
        ),
        finding(
          `plain SIMD against relaxed: decode at ${promptTokens} tokens`,
          `${figure(long)} against ${figure(short)} ms per token`,
          short / long,
          target,
        ),
      ],
    };
  },
});
