import { type Host, LociError, type Probe, type Probing } from 'loci';
import { z } from 'zod';
import { define } from '../methods/define.ts';
import { whole } from '../methods/option.ts';
import { type AttentionRow, AttentionRows, highestSlot } from './rows.ts';

const lastPosition = 2 ** 31 - 1;

/**
 * What every head looks at most while a token is produced (Wu et al. 2024, arXiv 2404.15574): a head whose place holds that
 * very token is copying it. With `from` and `to` only steps count in which a head looks into these tokens of the prompt.
 */
export const retrievalHead = define<Probe, ReturnType<typeof options>>({
  axis: 'probe',
  name: 'retrieval-head',
  summary: 'what every head looks at while a token is produced',
  options: z.object(options()),
  create({ from, to }, base) {
    if (from >= to) {
      throw new LociError(
        'bad-option',
        `--probe retrieval-head: from is ${from}; it must be less than to, which is ${to}`,
      );
    }
    return { ...base, needs: {}, open: (host) => recorder(host, from, to) };
  },
});

function options() {
  return {
    from: whole(0, lastPosition, 0, 'first token of the prompt that counts'),
    to: whole(1, lastPosition, lastPosition, 'the one behind the last'),
  };
}

/** A head's most attended token in one step. */
interface Looked {
  readonly head: string;
  readonly position: number;
  readonly weight: number;
}

function recorder(host: Host, from: number, to: number): Probing {
  const steps: { readonly position: number; readonly looks: readonly Looked[] }[] = [];
  const rows = new AttentionRows(host, (row) => {
    const looks = looksOf(host, row).filter(({ position }) => position >= from && position < to);
    steps.push({ position: row.position, looks });
  });
  return {
    attended: (encoder, view) => rows.attended(encoder, view),
    ran: (ran) => rows.ran(ran),
    result: () => ({ steps }),
    close: () => rows.close(),
  };
}

function looksOf({ arch }: Host, row: AttentionRow): readonly Looked[] {
  return arch.layers.flatMap((_, layer) =>
    Array.from({ length: arch.heads }, (_, head) => {
      const weights = row.weights(layer, head);
      const slot = highestSlot(weights);
      const position = row.positions(layer, head)?.[slot] ?? slot;
      return { head: `${layer}.${head}`, position, weight: Number((weights[slot] ?? 0).toFixed(4)) };
    }),
  );
}
