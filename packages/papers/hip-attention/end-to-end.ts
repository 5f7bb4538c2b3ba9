import { type Claim, mean, median, needle } from '@loci/evaluate';
import type { Session } from 'loci';
import { inSession } from '../methods/in-session.ts';
import { parseMethod } from '../registry.ts';
import { book, gainIn, lengthOf, lossOf, plantedAndFilled } from './texts.ts';

/** Speed and quality of one setting in one run. */
export const endToEnd: Claim = {
  id: '5d',
  claimed:
    'Prompts read with k = 512 by heads of a group together, no layer densely, answers with everything: ≥ 1.6 times as quickly as dense, loss ≤ dense + 0.10 nat, needle gain ≥ 70 % of dense',
  async run(workbench) {
    const model = await workbench.model();
    const length = lengthOf(workbench);
    const spec = 'hip:k=512,dense=0,share=group,sparse=prefill';
    const [texts, cases, rounds] = workbench.scale === 'quick' ? [2, 2, 2] : [6, 16, 5];
    const each = async <T>(what: string, count: number, work: (number: number, attend: string) => Promise<T>) => {
      const found: { dense: T; sparse: T }[] = [];
      for (let number = 0; number < count; number++) {
        workbench.signal.throwIfAborted();
        workbench.progress(what, number / count);
        found.push({ dense: await work(number, 'dense'), sparse: await work(number, spec) });
      }
      return found;
    };
    const opened = <T>(attend: string, work: (session: Session) => Promise<T>) =>
      inSession(model, { attend: parseMethod.attend(attend) }, work);
    const losses = await each('losses of running text', texts, (number, attend) => lossOf(workbench, number, attend));
    const gains = await workbench.once(`end to end gains ${length} ${cases}`, () =>
      each('needles', cases, (number, attend) => {
        const { prompt, filled, answer } = plantedAndFilled(model, needle(model, { length }, number));
        return opened(attend, (session) => gainIn(session, prompt, filled, answer));
      }),
    );
    const ids = book(model, 8000);
    const times = await workbench.once(`end to end times ${ids.length} ${rounds}`, () =>
      each('prefill', rounds, (_, attend) =>
        opened(attend, async (session) => {
          const started = performance.now();
          await session.prefill({ ids });
          return performance.now() - started;
        }),
      ),
    );
    const of = (rows: readonly { dense: number; sparse: number }[], by: (all: number[]) => number) => ({
      dense: by(rows.map(({ dense }) => dense)),
      sparse: by(rows.map(({ sparse }) => sparse)),
    });
    const [time, loss, gain] = [of(times, median), of(losses, mean), of(gains, mean)];
    const measured = {
      ...{ spec, length, texts, cases, rounds, losses, gains, times },
      faster: time.dense / time.sparse,
      lossRise: loss.sparse - loss.dense,
      gainKept: gain.sparse / gain.dense,
    };
    return {
      measured,
      holds: measured.faster >= 1.6 && measured.lossRise <= 0.1 && measured.gainKept >= 0.7,
      note: 'one run: medians of alternating prefills of 8,000 tokens, losses of all tokens behind the first quarter, nats per token of answers at random depth',
    };
  },
};
