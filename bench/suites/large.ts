import { largeModel } from '../large.ts';
import { figure, finding } from '../outcome.ts';
import {
  decodeMs,
  gridSuite,
  loci,
  names,
  peerSettings,
  prefillRate,
  repeated,
  sameFile,
  workloads,
} from '../suite.ts';

const promptTokens = 512;
const target = { atLeast: 1 } as const;

export const large = gridSuite({
  name: 'large',
  title: 'A model of another size',
  async plan(bench) {
    const file = await largeModel(sameFile, bench.say);
    return {
      contestants: [
        loci(bench, { file }),
        { name: names.peerSame, engine: 'node-llama-cpp', file, threads: bench.threads, store: 'F16' },
      ],
      workloads: workloads([promptTokens], bench.quick ? 8 : 24),
      processes: 'kept',
    };
  },
  judge(cells, bench) {
    const [mine, peer] = [cells.at(names.loci, promptTokens), cells.at(names.peerSame, promptTokens)];
    const [fast, slow] = [prefillRate(mine), prefillRate(peer)];
    const [short, long] = [decodeMs(mine), decodeMs(peer)];
    return {
      settings:
        'Random weights in the shape of Llama 3.2 1B, every matrix in Q4_0, which is also the best format of the peer. ' +
        `${peerSettings()} ${repeated(bench)}`,
      tables: [cells.prefillTable(), cells.decodeTable()],
      plots: [],
      findings: [
        finding(
          `1B shape: prefill of ${promptTokens} tokens, the peer's best`,
          `${figure(fast)} against ${figure(slow)} tokens/s`,
          fast / slow,
          target,
        ),
        finding(
          `1B shape: decode at ${promptTokens} tokens, the peer's best`,
          `${figure(short)} against ${figure(long)} ms per token`,
          long / short,
          target,
        ),
      ],
    };
  },
});
