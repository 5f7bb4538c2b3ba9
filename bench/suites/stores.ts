import { figure, finding } from '../outcome.ts';
import { decodeMs, gridSuite, loci, names, peerBest, prefillRate, repeated, storesOf, workloads } from '../suite.ts';

const reference = 'f16';
const peerStores = ['Q8_0', 'Q4_0'] as const;
const peerSmallest = `${names.peerBest}, cache in Q4_0`;
const nameOf = (store: string) => `${names.loci}, ${store}`;

export const stores = gridSuite({
  name: 'stores',
  title: 'Number formats of the cache',
  async plan(bench) {
    const formats = await storesOf(bench.root);
    const ours = formats.map((store) => loci(bench, { name: nameOf(store), store }));
    const theirs = await Promise.all(peerStores.map((store) => peerBest(bench, store)));
    return {
      contestants: [...ours, ...theirs],
      workloads: workloads([bench.quick ? 2048 : 8000], 24),
      processes: 'kept',
    };
  },
  judge(cells, bench) {
    const [tokens = 0] = cells.lengths;
    const plain = cells.at(nameOf(reference), tokens);
    const peer = cells.at(peerSmallest, tokens);
    const ours = cells.all.filter(
      ({ contestant }) => contestant.startsWith(names.loci) && contestant !== plain.contestant,
    );
    const findings = ours.flatMap((cell) => {
      const store = cell.contestant;
      const [ms, plainMs, peerMs] = [decodeMs(cell), decodeMs(plain), decodeMs(peer)];
      const [rate, peerRate] = [prefillRate(cell), prefillRate(peer)];
      return [
        finding(
          `${store}: decode at ${tokens} tokens against ${reference}`,
          `${figure(ms)} against ${figure(plainMs)} ms per token`,
          plainMs / ms,
          { atLeast: 1 },
        ),
        finding(
          `${store}: prefill of ${tokens} tokens against the peer's Q4_0 cache`,
          `${figure(rate)} against ${figure(peerRate)} tokens/s`,
          rate / peerRate,
          { atLeast: 10 },
        ),
        finding(
          `${store}: decode at ${tokens} tokens against the peer's Q4_0 cache`,
          `${figure(ms)} against ${figure(peerMs)} ms per token`,
          peerMs / ms,
          { atLeast: 8 },
        ),
      ];
    });
    return {
      settings: `SmolLM2-135M-Instruct; the peer with its best weights and a quantised cache. ${repeated(bench)}`,
      tables: [cells.prefillTable(), cells.decodeTable()],
      plots: [],
      findings,
    };
  },
});
