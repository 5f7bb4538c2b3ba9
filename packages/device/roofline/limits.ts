import { floatMadds, integerDots, type LimitCommand, limitScratch, readMemory, type Work } from '@loci/kernels';
import { Device, type DeviceHost } from '../device.ts';
import { Encoder } from '../encoder.ts';

/** What this machine does at best, from WebAssembly, on so many threads. */
export interface Limits {
  readonly threads: number;
  /** Reading memory that is in no cache, in 10⁹ bytes a second. */
  readonly gigabytesPerSecond: number;
  /** Dot products of bytes, 10⁹ multiplications and additions a second. */
  readonly integerGops: number;
  /** Multiplications and additions of float32. */
  readonly floatGops: number;
}

/** Larger than any cache that one process gets to itself. */
const readPieces = 512;
const tries = 7;

/**
 * Measures the limits in a second or two, each as the best of several tries.
 * @throws DeviceError `aborted`, `memory`, `dead`.
 */
export async function measureLimits(host: DeviceHost, threads: number, signal?: AbortSignal): Promise<Limits> {
  const limitsHost: DeviceHost = {
    kernels: (build) => host.kernels(build === 'plain' ? 'limits-plain' : 'limits-relaxed'),
    startWorker: (start, events) => host.startWorker(start, events),
  };
  const device = await Device.create(limitsHost, { threads, scratchBytes: limitScratch });
  try {
    const memory = device.allocate(readPieces * 2 ** 20);
    // Pages that were never written are all the same page of zeros.
    device.bytes(memory, readPieces * 2 ** 20).fill(1);
    const best = async ({ command, work }: LimitCommand, amount: (work: Work) => number) => {
      const encoder = new Encoder();
      encoder.record(command);
      let leastMs = Number.POSITIVE_INFINITY;
      for (let i = 0; i < tries; i++) {
        const started = performance.now();
        await device.run(encoder, signal);
        leastMs = Math.min(leastMs, performance.now() - started);
      }
      return amount(work) / leastMs / 1e6;
    };
    const read = (streams: 1 | 4) => best(readMemory(memory, readPieces, 1, streams), ({ bytes }) => bytes);
    return {
      threads,
      gigabytesPerSecond: Math.max(await read(1), await read(4)),
      integerGops: await best(integerDots(2000 * threads), ({ ops }) => ops),
      floatGops: await best(floatMadds(2000 * threads), ({ ops }) => ops),
    };
  } finally {
    await device.close();
  }
}
