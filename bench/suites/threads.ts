import { measureLimits } from '../../packages/engine/index.ts';
import { figure, finding } from '../outcome.ts';
import { decodeMs, gridSuite, loci, prefillRate, repeated, workloads } from '../suite.ts';

const one = 'Loci, 1 thread';
const two = 'Loci, 2 threads';
const targets = { prefill: { atLeast: 1.8 }, decode: { atLeast: 1.5 } } as const;

export const threads = gridSuite({
  name: 'threads',
  title: 'From one thread to two',
  async plan(bench) {
    return {
      contestants: [loci(bench, { name: one, threads: 1 }), loci(bench, { name: two, threads: 2 })],
      workloads: workloads(bench.quick ? [512] : [512, 2048], 24),
      processes: 'kept',
    };
  },
  async judge(cells, bench) {
    // What two threads can be at most: processors that share a core, or a memory that one thread fills, give less than 2.
    bench.say("measuring the machine's limits");
    const [alone, both] = [await measureLimits(1), await measureLimits(2)];
    const limit = (name: string, unit: string, a: number, b: number) => [
      name,
      `${figure(a)} ${unit}`,
      `${figure(b)} ${unit}`,
      `${figure(b / a)}×`,
    ];
    const machine = {
      head: ["the machine's limits", '1 thread', '2 threads', ''],
      rows: [
        limit('reading memory', 'GB/s', alone.gigabytesPerSecond, both.gigabytesPerSecond),
        limit('dot products of bytes', 'Gop/s', alone.integerGops, both.integerGops),
        limit('float32 arithmetic', 'Gop/s', alone.floatGops, both.floatGops),
      ],
    };
    return {
      settings: `SmolLM2-135M-Instruct, f16 cache. ${repeated({ ...bench, threads: 2 })}`,
      tables: [cells.prefillTable(), cells.decodeTable(), machine],
      plots: [],
      findings: cells.lengths.flatMap((tokens) => {
        const [before, after] = [cells.at(one, tokens), cells.at(two, tokens)];
        const [slow, fast] = [prefillRate(before), prefillRate(after)];
        const [long, short] = [decodeMs(before), decodeMs(after)];
        return [
          finding(
            `2 threads against 1: prefill of ${tokens} tokens`,
            `${figure(fast)} against ${figure(slow)} tokens/s`,
            fast / slow,
            targets.prefill,
          ),
          finding(
            `2 threads against 1: decode at ${tokens} tokens`,
            `${figure(short)} against ${figure(long)} ms per token`,
            long / short,
            targets.decode,
          ),
        ];
      }),
    };
  },
});
