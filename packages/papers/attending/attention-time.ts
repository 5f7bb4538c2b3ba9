import { median } from '@loci/evaluate/statistics';
import { type Attend, type KernelTime, loadModel, Profile } from 'loci';

/** What reading some tokens takes. */
export interface AttentionTime {
  /** The whole program. */
  readonly programMs: number;
  /** Attention itself, and what joins its parts. */
  readonly attendMs: number;
  /** Every other kernel that dense attention does not call. */
  readonly choosingMs: number;
}

const chunk = 512;
const ofModel = new Set([
  'embed',
  'norm',
  'quantize',
  'matmul',
  'matmulFloat',
  'rope',
  'append',
  'activate',
  'copy',
  'loss',
]);

/**
 * Times the last 512 of so many tokens under each of some methods, which take turns: medians over the rounds, all layers
 * together, int8 activations and an f16 cache.
 */
export async function attentionTimes(
  methods: readonly Attend[],
  tokens: number,
  { rounds = 3, signal }: { readonly rounds?: number; readonly signal?: AbortSignal } = {},
): Promise<readonly AttentionTime[]> {
  const profile = new Profile();
  const model = await loadModel(undefined, { observer: profile.observer, ...(signal && { signal }) });
  try {
    const ids = (length: number, from: number) =>
      Array.from({ length }, (_, i) => (7919 * (from + i + 1)) % model.arch.vocabulary);
    const before = ids(tokens - chunk, 0);
    const sessions = await Promise.all(methods.map((attend) => model.open({ attend })));
    const taken: AttentionTime[][] = methods.map(() => []);
    for (const session of sessions)
      await session.prefill({ ids: [...before, ...ids(chunk, tokens)] }, { ...(signal && { signal }) });
    for (let round = 1; round <= rounds; round++) {
      for (const [i, session] of sessions.entries()) {
        profile.keys = tokens;
        await session.prefill({ ids: [...before, ...ids(chunk, tokens + round)] }, { ...(signal && { signal }) });
        profile.keys = undefined;
        taken[i]?.push(timeOf(profile.take()));
      }
    }
    for (const session of sessions) session.close();
    return taken.map((times) => ({
      programMs: median(times.map(({ programMs }) => programMs)),
      attendMs: median(times.map(({ attendMs }) => attendMs)),
      choosingMs: median(times.map(({ choosingMs }) => choosingMs)),
    }));
  } finally {
    await model.close();
  }
}

function timeOf({
  programMs,
  kernels,
}: {
  readonly programMs: number;
  readonly kernels: readonly KernelTime[];
}): AttentionTime {
  return {
    programMs,
    attendMs: attentionMs(kernels),
    choosingMs: sumMs(kernels, (kernel) => !isAttention(kernel) && !ofModel.has(kernel)),
  };
}

/** What attention takes of a program, and what joins its parts. */
export function attentionMs(kernels: readonly KernelTime[]): number {
  return sumMs(kernels, isAttention);
}

function isAttention(kernel: string): boolean {
  return kernel === 'attend' || kernel === 'merge';
}

function sumMs(kernels: readonly KernelTime[], wanted: (kernel: string) => boolean): number {
  return kernels.filter(({ kernel }) => wanted(kernel)).reduce((sum, { ms }) => sum + ms, 0);
}
