/**
 * Quality at equal bytes: single needles in prompts of 2,000 tokens, answered from caches that take the same share of
 * the bytes of a dense cache in halves.
 *
 *   node packages/papers/equal-bytes/main.ts RESULTS.sqlite OUT.json [prompts, 40 by default] [pattern]
 *
 * What was measured is kept in RESULTS.sqlite: a run that was stopped goes on where it was. With a pattern only the rows are
 * measured that it matches, such as `store=q4,share=0.125,query-aware`; OUT.json has all that is known.
 */
import { writeFileSync } from 'node:fs';
import { bootstrap, type Json, mean, needle, ResultStore, resultKey } from '@loci/evaluate';
import { loadModel } from 'loci';
import { type Entry, products, published } from './entries.ts';
import { Asked, isOutcome, type Mode, type Outcome } from './measure.ts';

const [storePath, outPath, prompts = '40', pattern = ''] = process.argv.slice(2);
if (!storePath || !outPath) throw new Error('usage: main.ts RESULTS.sqlite OUT.json [prompts]');
const length = 2000;

interface Row extends Entry {
  readonly share: number;
  readonly mode: Mode;
}

const shares = [0.25, 0.125];
const rows: readonly Row[] = [
  ...(['f16', 'q8', 'q4'] as const).map((store) => ({ keep: 'all', store, share: 1, mode: 'query-aware' as const })),
  ...(['query-aware', 'query-agnostic'] as const).flatMap((mode) =>
    shares.flatMap((share) => [...published, ...products].map((entry) => ({ ...entry, share, mode }))),
  ),
];

const model = await loadModel();
const store = new ResultStore(storePath);
const outcomes = new Map<Row, Outcome[]>();
/** Prompts are about equally long: the budget that one needed is where the next begins. */
const budgets = new Map<Row, { readonly pages: number; readonly budget: number }>();

for (let number = 0; number < Number(prompts); number++) {
  const one = needle(model, { length }, number);
  let asked: Asked | undefined;
  for (const row of rows) {
    const { keep, store: format, share, mode } = row;
    const method = `keep=${keep},store=${format},share=${share},${mode}`;
    const key = resultKey({ case: one, method, model: model.fingerprint, code: 'equal-bytes 1' });
    if (!isOutcome(store.get(key)) && new RegExp(pattern).test(method)) {
      asked ??= await Asked.read(model, one);
      store.put(key, { ...(await measure(asked, row, one.context.length)) });
    }
    const outcome = store.get(key);
    if (isOutcome(outcome)) outcomes.set(row, [...(outcomes.get(row) ?? []), outcome]);
  }
  asked?.close();
  console.error(`prompt ${number + 1} of ${prompts}`);
  writeFileSync(outPath, `${JSON.stringify(report(), undefined, 2)}\n`);
}
store.close();
await model.close();

async function measure(asked: Asked, row: Row, contextLength: number): Promise<Outcome> {
  if (row.keep === 'all') return asked.whole(row.store);
  const pages = Math.ceil(contextLength / 32);
  const known = budgets.get(row);
  const outcome = await asked.within(row, row.share, row.mode, known?.pages === pages ? known.budget : undefined);
  budgets.set(row, { pages, budget: outcome.budget });
  return outcome;
}

function report(): Json {
  return {
    model: model.name,
    task: `needle, ${length} tokens, seven digits`,
    precision: 'int8 activations',
    rows: rows.flatMap((row) => {
      const found = outcomes.get(row) ?? [];
      if (found.length === 0) return [];
      const nll = bootstrap(
        found.map((one) => one.nll),
        mean,
        { resamples: 500 },
      );
      return [
        {
          ...row,
          prompts: found.length,
          nll: nll.value,
          standardError: nll.standardError,
          exact: found.filter(({ exact }) => exact).length,
          bytes: Math.max(...found.map(({ bytes }) => bytes)),
          budget: mean(found.map(({ budget }) => budget)),
        },
      ];
    }),
  };
}
