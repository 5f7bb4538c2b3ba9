import { figure, finding } from '../outcome.ts';
import { decodeMs, gridSuite, loci, names, peerBest, repeated, workloads } from '../suite.ts';

const promptTokens = 512;
const sampling = { temperature: 0.8, topK: 40, topP: 0.95, seed: 1 } as const;
const nucleus = { ...sampling, topK: 0 } as const;
const drawn = `${names.loci}, sampled`;
const drawnOfAll = `${names.loci}, sampled without topK`;
const peerDrawn = `${names.peerBest}, sampled`;

export const sampled = gridSuite({
  name: 'sampled',
  title: 'Tokens that are drawn',
  async plan(bench) {
    const peer = await peerBest(bench);
    return {
      contestants: [
        loci(bench),
        loci(bench, { name: drawn, sampling }),
        loci(bench, { name: drawnOfAll, sampling: nucleus }),
        peer,
        { ...peer, name: peerDrawn, sampling },
      ],
      workloads: workloads([promptTokens], 120),
      processes: 'kept',
    };
  },
  judge(cells, bench) {
    const ms = (name: string) => decodeMs(cells.at(name, promptTokens));
    const { temperature, topK, topP } = sampling;
    const against = (what: string, name: string, other: string, atLeast: number) =>
      finding(what, `${figure(ms(name))} against ${figure(ms(other))} ms per token`, ms(other) / ms(name), { atLeast });
    return {
      settings:
        `SmolLM2-135M-Instruct, f16 cache; temperature ${temperature}, topK ${topK}, topP ${topP}, against the most likely ` +
        `token. ${repeated(bench)}`,
      tables: [cells.decodeTable()],
      plots: [],
      findings: [
        against(`tokens that are drawn, the peer's best`, drawn, peerDrawn, 1),
        against('drawn against most likely', drawn, names.loci, 0.9),
        against('drawn without topK against most likely', drawnOfAll, names.loci, 0.9),
      ],
    };
  },
});
