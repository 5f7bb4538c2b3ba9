import { finding } from '../outcome.ts';
import { gridSuite, loci, names, peerBest, peerSame, peerSettings, repeated } from '../suite.ts';

const promptTokens = 100;
const target = { atMost: 0.5 } as const;

export const cold = gridSuite({
  name: 'cold',
  title: 'From nothing to the first token',
  async plan(bench) {
    return {
      contestants: [loci(bench), peerSame(bench), await peerBest(bench)],
      workloads: [{ tokens: promptTokens, decode: 0, sequences: 1 }],
      processes: 'fresh',
    };
  },
  judge(cells, bench) {
    const time = (name: string) => cells.at(name, promptTokens).firstTokenMs?.median ?? Number.NaN;
    const mine = time(names.loci);
    return {
      settings:
        `SmolLM2-135M-Instruct, a prompt of ${promptTokens} tokens: the start of a process of Node, the engine, its model, the ` +
        `prompt. Files are in the system's cache. ${peerSettings()} ${repeated(bench)}`,
      tables: [
        {
          head: ['first token after', 'ms'],
          rows: cells.contestants.map((name) => [name, time(name).toFixed(0)]),
        },
      ],
      plots: [],
      findings: [names.peerSame, names.peerBest].map((peer) =>
        finding(
          `cold start to the first token against ${peer}`,
          `${mine.toFixed(0)} against ${time(peer).toFixed(0)} ms`,
          mine / time(peer),
          target,
        ),
      ),
    };
  },
});
