import { figure, finding, type Plot } from '../outcome.ts';
import {
  type Cells,
  decodeMs,
  gridSuite,
  loci,
  names,
  peerBest,
  peerSame,
  peerSettings,
  prefillRate,
  repeated,
  workloads,
} from '../suite.ts';

/** By length of the prompt: how many times faster than the peer's best. */
const targets = [
  { tokens: 128, prefill: 1, decode: 1 },
  { tokens: 512, prefill: 1, decode: 1.2 },
  { tokens: 2048, prefill: 1.3, decode: 1.8 },
  { tokens: 8000, prefill: 1.6, decode: 3 },
] as const;
/** And than the peer on the same file, at every length. */
const sameFileTarget = 2.5;

export const lengths = gridSuite({
  name: 'lengths',
  title: 'Prefill and decode by length of the prompt',
  async plan(bench) {
    const measured = targets.map(({ tokens }) => tokens).filter((tokens) => !bench.quick || tokens <= 2048);
    return {
      contestants: [loci(bench), peerSame(bench), await peerBest(bench)],
      workloads: workloads(measured, 24),
      processes: 'kept',
    };
  },
  judge(cells, bench) {
    const findings = [names.peerBest, names.peerSame].flatMap((peer) =>
      targets
        .filter(({ tokens }) => cells.lengths.includes(tokens))
        .flatMap(({ tokens, prefill, decode }) => {
          const [mine, other] = [cells.at(names.loci, tokens), cells.at(peer, tokens)];
          const [fast, slow] = [prefillRate(mine), prefillRate(other)];
          const [short, long] = [decodeMs(mine), decodeMs(other)];
          const isBest = peer === names.peerBest;
          const side = isBest ? "the peer's best" : 'the same file';
          const rates = `${figure(fast)} against ${figure(slow)} tokens/s`;
          const times = `${figure(short)} against ${figure(long)} ms per token`;
          return [
            finding(`prefill of ${tokens} tokens, ${side}`, rates, fast / slow, {
              atLeast: isBest ? prefill : sameFileTarget,
            }),
            finding(`decode at ${tokens} tokens, ${side}`, times, long / short, {
              atLeast: isBest ? decode : sameFileTarget,
            }),
          ];
        }),
    );
    return {
      settings: `SmolLM2-135M-Instruct, Loci with an f16 cache and ${peerSettings()} ${repeated(bench)}`,
      tables: [cells.prefillTable(), cells.decodeTable()],
      plots: [plot(cells, 'prefill, tokens per second', prefillRate), plot(cells, 'decode, ms per token', decodeMs)],
      findings,
    };
  },
});

function plot(cells: Cells, title: string, value: typeof prefillRate): Plot {
  return {
    x: { title: 'tokens in the context', scale: 'log' },
    y: { title, scale: 'linear' },
    series: cells.contestants.map((name) => ({
      name,
      points: cells.lengths.map((tokens) => [tokens, value(cells.at(name, tokens))] as const),
    })),
  };
}
