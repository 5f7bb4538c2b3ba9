import type { KernelTime, Limits } from 'loci';
import { counted, rate, table } from './format.ts';

/** A kernel of a program, against the limit that binds it. */
export interface KernelRow {
  readonly kernel: string;
  readonly shape: string;
  readonly calls: number;
  readonly ms: number;
  /** Absent for kernels without weights or cache pages: what they read lies in the processor's caches. */
  readonly limited?: {
    readonly by: 'memory' | 'integer' | 'float';
    readonly gigabytesPerSecond: number;
    /** 10⁹ multiplications and additions a second. */
    readonly gops: number;
    /** The least time at the limit ÷ the time taken. */
    readonly share: number;
  };
}

/** Kernels of one program, which read `tokens` tokens behind those in the cache. */
export interface Phase {
  readonly phase: 'prefill' | 'decode';
  readonly tokens: number;
  readonly behind: number;
  readonly programMs: number;
  readonly kernels: readonly KernelRow[];
}

/**
 * Where a kernel stands under the roof (Williams et al. 2009): it can be no faster than reading its bytes once, and no
 * faster than doing its operations at the machine's peak.
 */
export function rowOf({ kernel, shape, calls, ms, work }: KernelTime, limits: Limits): KernelRow {
  if (!work) return { kernel, shape, calls, ms };
  const memoryMs = work.bytes / limits.gigabytesPerSecond / 1e6;
  const peak = work.arithmetic === 'integer' ? limits.integerGops : limits.floatGops;
  const arithmeticMs = work.ops / peak / 1e6;
  return {
    kernel,
    shape,
    calls,
    ms,
    limited: {
      by: memoryMs > arithmeticMs ? 'memory' : work.arithmetic,
      gigabytesPerSecond: work.bytes / ms / 1e6,
      gops: work.ops / ms / 1e6,
      share: Math.max(memoryMs, arithmeticMs) / ms,
    },
  };
}

export function limitsText({ threads, gigabytesPerSecond, integerGops, floatGops }: Limits): string {
  const limits = `memory ${rate(gigabytesPerSecond)} GB/s, bytes ${rate(integerGops)} Gop/s, float32 ${rate(floatGops)} Gop/s`;
  return `Limits with ${counted(threads, 'thread')}: ${limits}`;
}

/** In words: what a kernel reaches of what binds it, and how much of the limit that is; nothing where there is none. */
export function speedAndShare(limited: KernelRow['limited']): readonly [speed: string, share: string] {
  if (!limited) return ['', ''];
  const { by, gigabytesPerSecond, gops, share } = limited;
  const speed = by === 'memory' ? `${rate(gigabytesPerSecond)} GB/s` : `${rate(gops)} Gop/s`;
  return [speed, `${(share * 100).toFixed(0)} % of ${by}`];
}

/** A table of the kernels; the last row is the program as a whole. */
export function phaseText({ phase, tokens, behind, programMs, kernels }: Phase): string {
  const rows = kernels.map(({ kernel, shape, calls, ms, limited }) => {
    const part = `${((ms / programMs) * 100).toFixed(0)} %`;
    return [kernel, shape, String(calls), ms.toFixed(2), part, ...speedAndShare(limited)];
  });
  const calls = kernels.reduce((sum, kernel) => sum + kernel.calls, 0);
  const title = `${phase} of ${counted(tokens, 'token')} behind ${counted(behind, 'token')}`;
  return `${title}\n${table(
    ['kernel', 'shape', 'calls', 'ms', 'of all', 'speed', 'of the limit'],
    [...rows, ['all', 'in their order', String(calls), programMs.toFixed(2), '', '', '']],
    2,
  )}`;
}
