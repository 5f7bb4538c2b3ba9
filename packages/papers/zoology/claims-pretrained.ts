import { type Claim, perplexity } from '@loci/evaluate';
import { parseMethods } from '../registry.ts';
import { hitsOf, PairCounts } from './ar-hits.ts';
import { inContextCase, recalls } from './in-context.ts';

const window = 64;
const sinks = 4;
/** Tokens of a document. */
const length = 2048;
const books = ['frankenstein', 'moby-dick', 'dracula', 'state-of-the-union-1904'] as const;
/** A pair is frequent that occurs so often in a million tokens of other books: about the paper's 1000 occurrences, scaled. */
const frequentPerMillion = 100;

/** Keep methods of the product, by how they are written for a budget. */
const keeps = [
  (budget: number) => `streaming-llm:sinks=4,recent=${budget - 4}`,
  (budget: number) => `snapkv:budget=${budget},window=8`,
  (budget: number) => `h2o:budget=${budget}`,
  (budget: number) => `tova:budget=${budget}`,
  (budget: number) => `knorm:budget=${budget}`,
  (budget: number) => `expected-attention:budget=${budget}`,
  (budget: number) => `random:budget=${budget}`,
];

/** Items 4 and 5: recall of a pretrained model, with less of its cache. */
export const pretrainedClaims: readonly Claim[] = [
  {
    id: '4',
    claimed:
      'SmolLM2, documents of 2048 tokens, the cache cut to 64 tokens and 4 sinks: on AR hits whose earlier occurrence lies outside the window the loss grows ≥ 3 times as much as on other tokens; hits are 2–20 % of tokens',
    async run(workbench) {
      const model = await workbench.model();
      const documents = workbench.scale === 'full' ? 26 : 4;
      const dense = await model.open();
      const cut = await model.open(parseMethods(`keep=streaming-llm:sinks=${sinks},recent=${window}`));
      try {
        const sums = { outside: 0, others: 0 };
        const counts = { tokens: 0, hits: 0, filtered: 0, outside: 0, others: 0 };
        for (let d = 0; d < documents; d++) {
          workbench.progress('AR hits', d / documents);
          const book = books[d % books.length] ?? 'dracula';
          const { context, answer } = perplexity(model, { length, text: book }, d);
          const ids = Int32Array.from([...context, ...answer]);
          const frequent = pairsOutside(model, book);
          const [full, less] = [(await dense.score({ ids })).losses, (await cut.score({ ids })).losses];
          const hits = new Map(hitsOf(ids).map(({ at, earlier }) => [at, earlier]));
          for (let at = 1; at < ids.length; at++) {
            counts.tokens++;
            // Loss i is that of token i + 1.
            const grows = (less[at - 1] ?? Number.NaN) - (full[at - 1] ?? Number.NaN);
            const earlier = hits.get(at);
            if (earlier === undefined) {
              counts.others++;
              sums.others += grows;
              continue;
            }
            counts.hits++;
            const often = (1e6 * frequent.of(ids[at - 1] ?? 0, ids[at] ?? 0)) / frequent.tokens;
            if (often > frequentPerMillion) continue;
            counts.filtered++;
            if (earlier >= at - window || earlier <= sinks) continue;
            counts.outside++;
            sums.outside += grows;
          }
        }
        const [outside, others] = [sums.outside / counts.outside, sums.others / counts.others];
        const share = counts.filtered / counts.tokens;
        return {
          measured: {
            documents,
            ...counts,
            lossGrowth: { outside, others, ratio: outside / others },
            share,
            unfilteredShare: counts.hits / counts.tokens,
          },
          holds: outside >= 3 * others && share >= 0.02 && share <= 0.2,
          note: `Pairs that occur more than ${frequentPerMillion} times in a million tokens of the other bundled books are no hits. ${workbench.scale === 'full' ? '' : 'Quick: 4 documents; full has 26, more than 50,000 tokens. '}Keys keep the positions that they were written at.`,
        };
      } finally {
        dense.close();
        cut.close();
      }
    },
  },
  {
    id: '5',
    claimed:
      'MQAR in words, 8 pairs listed twice: SmolLM2 recalls ≥ 3 times the floor 1/8 with its whole cache; where the pairs are evicted ≤ 1.5 times; every keep method per budget',
    async run(workbench) {
      const model = await workbench.model();
      const count = workbench.scale === 'full' ? 100 : 24;
      const budgets = workbench.scale === 'full' ? [16, 32, 64] : [32];
      const accuracy = async (keep: string | undefined) => {
        const options = parseMethods(keep === undefined ? 'dense' : `keep=${keep}`);
        let right = 0;
        for (let i = 0; i < count; i++) if (await recalls(model, inContextCase(model, 8, i), options)) right++;
        return right / count;
      };
      const rows: { keep: string; budget: number; accuracy: number }[] = [];
      const whole = await accuracy(undefined);
      for (const budget of budgets)
        for (const [i, write] of keeps.entries()) {
          workbench.progress(write(budget), i / keeps.length);
          rows.push({ keep: write(budget), budget, accuracy: await accuracy(write(budget)) });
        }
      const evicting = rows.filter(({ keep }) => keep.startsWith('streaming-llm'));
      const floor = 1 / 8;
      return {
        measured: { cases: count, contextTokens: inContextCase(model, 8, 0).context.length, floor, whole, rows },
        holds: whole >= 3 * floor && evicting.every((row) => row.accuracy <= 1.5 * floor),
        note: 'Query-agnostic: the cache is cut behind a passage that follows the pairs, before the question is known. What evicts the pairs for certain is streaming-llm, whose window ends behind them.',
      };
    },
  },
];

type Books = Parameters<typeof perplexity>[0];
const known = new Map<string, PairCounts>();

/** Pairs of a long piece of each of the other books. */
function pairsOutside(model: Books, book: (typeof books)[number]): PairCounts {
  const found = known.get(book);
  if (found) return found;
  const counts = new PairCounts();
  for (const text of books) {
    if (text === book) continue;
    for (let i = 0; i < 4; i++) counts.add(perplexity(model, { length: 10_000, scored: 1, text }, i).context);
  }
  known.set(book, counts);
  return counts;
}
