import { figure, finding } from '../outcome.ts';
import { decodeMs, gridSuite, loci, names, peerBest, repeated, workloads } from '../suite.ts';

const keep = 'snapkv:budget=1024';
const compressed = `${names.loci}, ${keep}, q4`;

export const kept = gridSuite({
  name: 'kept',
  title: 'Decode behind a compressed cache',
  async plan(bench) {
    return {
      contestants: [loci(bench), loci(bench, { name: compressed, store: 'q4', keep }), await peerBest(bench)],
      workloads: workloads([bench.quick ? 2048 : 7500], 24),
      processes: 'kept',
    };
  },
  judge(cells, bench) {
    const [tokens = 0] = cells.lengths;
    const [ms, peerMs] = [decodeMs(cells.at(compressed, tokens)), decodeMs(cells.at(names.peerBest, tokens))];
    return {
      settings: `SmolLM2-135M-Instruct. ${repeated(bench)}`,
      tables: [cells.prefillTable(), cells.decodeTable()],
      plots: [],
      findings: [
        finding(
          `${keep} in 4 bits: decode at ${tokens} tokens, the peer's best`,
          `${figure(ms)} against ${figure(peerMs)} ms per token`,
          peerMs / ms,
          { atLeast: 4 },
        ),
      ],
    };
  },
});
