import { mean, median, type TextName, type Workbench } from '@loci/evaluate';
import { bookText } from '../keeping/logits.ts';
import { inSession } from '../methods/in-session.ts';
import { asInPaper } from './planted.ts';

export type Stream = Awaited<ReturnType<typeof streamOf>>;

/** What reading so many tokens of a book costs at 4K and at the end, and how well it is predicted near both. */
export async function streamOf(workbench: Workbench, book: TextName, tokens: number) {
  const model = await workbench.model();
  const ids = bookText(model, tokens, book);
  const { signal } = workbench;
  const ends: { readonly wall: number; readonly cpu: number }[] = [];
  const onProgress = ({ doneTokens }: { readonly doneTokens: number }) => {
    ends.push(now());
    workbench.progress(`stream of ${book}`, doneTokens / tokens);
  };
  const { losses } = await inSession(model, asInPaper('fast=4096'), (session) =>
    session.score({ ids }, { onProgress, signal }),
  );
  // The same tokens with two thousand before them, read densely: how hard the text is by itself.
  const dense = async (from: number) => {
    const scored = await inSession(model, {}, (session) =>
      session.score({ ids: ids.subarray(from, from + 4001) }, { signal }),
    );
    return mean([...scored.losses.subarray(2000, 4000)]);
  };
  const chunkMs = (at: number, of: 'wall' | 'cpu') => {
    const last = Math.min(ends.length - 1, Math.floor(at / 128));
    const time = (i: number) => ends[i]?.[of] ?? Number.NaN;
    return median(Array.from({ length: 9 }, (_, i) => time(last - i) - time(last - i - 1)));
  };
  const nll = (from: number, to: number) => mean([...losses.subarray(from, to)]);
  return {
    ...{ msAt4K: chunkMs(4096, 'wall'), msAtEnd: chunkMs(tokens, 'wall') },
    ...{ cpuMsAt4K: chunkMs(4096, 'cpu'), cpuMsAtEnd: chunkMs(tokens, 'cpu') },
    ...{ from2KTo4K: nll(2000, 4000), last2KOf12K: nll(10_240, 12_240) },
    ...{ denseFrom2KTo4K: await dense(0), denseLast2K: await dense(8240) },
  };
}

function now(): { readonly wall: number; readonly cpu: number } {
  const { user, system } = process.cpuUsage();
  return { wall: performance.now(), cpu: (user + system) / 1000 };
}
