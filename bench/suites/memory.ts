import { finding } from '../outcome.ts';
import { gridSuite, loci, names, peerBest, peerSame, peerSettings, repeated, storesOf } from '../suite.ts';

const nameOf = (store: string) => `${names.loci}, ${store}`;
const isFourBit = (name: string) => name.startsWith(names.loci) && name.includes('4');
const targets = { fourBit: { atMost: 0.5 }, others: { atMost: 1 } } as const;
/** Memory varies little from run to run. */
const rounds = 3;

export const memory = gridSuite({
  name: 'memory',
  title: 'Peak resident memory',
  async plan(bench) {
    const stores = await storesOf(bench.root);
    return {
      contestants: [
        ...stores.map((store) => loci(bench, { name: nameOf(store), store })),
        peerSame(bench),
        await peerBest(bench),
      ],
      workloads: [{ tokens: bench.quick ? 2048 : 8000, decode: 4, sequences: 1 }],
      processes: 'fresh',
      rounds: bench.quick ? 1 : rounds,
    };
  },
  judge(cells, bench) {
    const [tokens = 0] = cells.lengths;
    const peak = (name: string) => cells.at(name, tokens).peakBytes.median;
    const size = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
    const peers = [names.peerSame, names.peerBest];
    const least = Math.min(...peers.map(peak));
    return {
      settings:
        `SmolLM2-135M-Instruct, ${tokens} tokens in the cache, the highest resident memory of the whole process. ` +
        `${peerSettings()} ${repeated(bench, rounds)}`,
      tables: [{ head: ['peak resident memory', ''], rows: cells.contestants.map((name) => [name, size(peak(name))]) }],
      plots: [],
      findings: cells.contestants
        .filter((name) => name.startsWith(names.loci))
        .map((name) =>
          finding(
            `${name}: peak memory at ${tokens} tokens against the peer's least`,
            `${size(peak(name))} against ${size(least)}`,
            peak(name) / least,
            isFourBit(name) ? targets.fourBit : targets.others,
          ),
        ),
    };
  },
});
