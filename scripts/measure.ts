// Measures what the engine claims and writes docs/results/engine.json: `npm run measure`, or single items: `-- 2 4`.
// Judges: golden files made by programs that share no code with Loci (packages/engine/golden/README.md).
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { thisMachine } from '@loci/evaluate/machine';
import { mean } from '@loci/evaluate/statistics';
import { loadModel, type Model, type Precision, type Session } from 'loci';
import type { Finding } from './finding.ts';
import { needles } from './needles.ts';

interface Golden {
  readonly hidden: {
    readonly ids: number[];
    readonly states: readonly { readonly first8: number[]; readonly norm: number }[];
  };
  readonly prompts: Readonly<Record<string, GoldenPrompt>>;
  readonly long: { readonly ids: number[]; readonly bucket: number; readonly meanNllPerBucket: number[] };
}

interface GoldenPrompt {
  readonly ids: number[];
  readonly nll: number[];
  readonly meanNll: number;
  readonly top: readonly { readonly position: number; readonly top10: readonly (readonly [number, number])[] }[];
  readonly greedy: number[];
}

const root = new URL('..', import.meta.url);
const golden = (name: string): Golden =>
  JSON.parse(readFileSync(new URL(`packages/engine/golden/${name}.json`, root), 'utf8'));
const say = (text: string) => process.stderr.write(`${text}\n`);
const round = (value: number, digits = 4) => Number(value.toFixed(digits));
const largest = (values: readonly number[]) => values.reduce((most, value) => Math.max(most, value), 0);

/** Item 1: the float32 path against the golden run, for one model. */
async function float32(id: string, model: Model, expected: Golden): Promise<Finding> {
  const session = await model.open({ precision: 'float32' });
  const states = await session.hiddenStates({ ids: expected.hidden.ids });
  // The golden list ends with the state after the final norm and leaves out the last block's own output.
  const compared = [...states.slice(0, -2), ...states.slice(-1)];
  const hidden = compared.map((state, depth) => {
    const { first8, norm } = expected.hidden.states[depth] ?? { first8: [], norm: Number.NaN };
    const rms = norm / Math.sqrt(state.length);
    const channels = first8.map((value, channel) => Math.abs(value - (state[channel] ?? Number.NaN)) / rms);
    return largest([...channels, Math.abs(Math.hypot(...state) - norm) / norm]);
  });
  let nll = 0;
  let meanNll = 0;
  let top10 = true;
  let greedy = true;
  for (const [name, prompt] of Object.entries(expected.prompts)) {
    say(`  ${name}`);
    const scores = await session.score({ ids: prompt.ids });
    nll = Math.max(nll, largest(prompt.nll.map((value, i) => Math.abs(value - (scores.losses[i] ?? Number.NaN)))));
    meanNll = Math.max(meanNll, Math.abs(scores.meanNll - prompt.meanNll));
    for (const { position, top10: best } of prompt.top) {
      const { logits } = await session.prefill({ ids: prompt.ids.slice(0, position + 1) });
      const order = Array.from(logits, (logit, token) => ({ logit, token })).sort((a, b) => b.logit - a.logit);
      top10 &&= best.every(([token], rank) => order[rank]?.token === token);
    }
    const { ids } = await session.complete({ ids: prompt.ids }, { maxTokens: prompt.greedy.length, ignoreEnd: true });
    greedy &&= prompt.greedy.every((token, i) => ids[i] === token);
  }
  session.close();
  const worst = largest(hidden);
  return {
    id,
    claimed:
      'hidden states to 1e-3 relative, NLL per token within 0.02 and mean within 0.001, top-10 ids and 48 greedy tokens equal',
    measured: {
      hiddenError: worst,
      nllError: round(nll),
      meanNllError: round(meanNll, 5),
      top10Equal: top10,
      greedyEqual: greedy,
    },
    holds: worst <= 1e-3 && nll <= 0.02 && meanNll <= 0.001 && top10 && greedy,
  };
}

/** Item 2: the losses of 8-bit activations against golden, with keys and values in one of the formats of the cache. */
async function int8(
  id: string,
  model: Model,
  expected: Golden,
  { store, book: most, bucket }: { store: 'f16' | 'q8' | 'q4'; book: number; bucket: number },
): Promise<Finding> {
  const session = await model.open({ store });
  const book = expected.prompts['book'];
  const bookError = (await session.score({ ids: book?.ids ?? [] })).meanNll - (book?.meanNll ?? Number.NaN);
  const { losses } = await session.score({ ids: expected.long.ids });
  session.close();
  const buckets = expected.long.meanNllPerBucket.map((value, i) =>
    round(mean(Array.from(losses.subarray(i * expected.long.bucket, (i + 1) * expected.long.bucket))) - value),
  );
  return {
    id,
    claimed: `mean NLL within ${most} nat of golden on \`book\`, every bucket of 512 tokens of \`long\` within ${bucket}`,
    measured: { book: round(bookError), buckets, tokens: expected.long.ids.length },
    holds: Math.abs(bookError) <= most && buckets.every((error) => Math.abs(error) <= bucket),
  };
}

/** Item 5: the same bits from 1 and from 2 threads. */
async function threads(id: string, ids: readonly number[]): Promise<Finding> {
  const prints: string[] = [];
  for (const count of [1, 2]) {
    const model = await loadModel(undefined, { threads: count });
    for (const precision of ['int8', 'float32'] satisfies Precision[]) {
      const session: Session = await model.open({ precision });
      const { logits } = await session.prefill({ ids: ids.slice(0, 1000) });
      const { losses } = await session.score({ ids: ids.slice(0, 300) });
      const bytes = [new Uint8Array(logits.buffer), new Uint8Array(losses.buffer)].map((part) => Uint8Array.from(part));
      const hash = await crypto.subtle.digest('SHA-256', await new Blob(bytes).arrayBuffer());
      prints.push(`${precision} ${Buffer.from(hash).toString('hex')}`);
      session.close();
    }
    await model.close();
  }
  const equal = prints[0] === prints[2] && prints[1] === prints[3];
  return {
    id,
    claimed: 'thread counts 1 and 2 give identical bits',
    measured: { int8: prints[0] === prints[2], float32: prints[1] === prints[3] },
    holds: equal,
  };
}

const smol = golden('smollm2');
const out = new URL('docs/results/engine.json', root);
const chosen = process.argv.slice(2);
const wants = (item: string) => chosen.length === 0 || chosen.includes(item);
const known: { findings: Finding[] } = existsSync(out) ? JSON.parse(readFileSync(out, 'utf8')) : { findings: [] };
const findings = new Map(known.findings.map((finding) => [finding.id, finding]));
const add = async (work: Promise<Finding>) => {
  const finding = await work;
  findings.set(finding.id, finding);
  say(`${finding.id} ${finding.holds ? 'holds' : 'DOES NOT HOLD'}: ${JSON.stringify(finding.measured)}`);
};

const gemmaFile = process.env['LOCI_GEMMA3'];
if (wants('1')) {
  const exact = await loadModel(undefined, { precision: 'float32' });
  await add(float32('1 SmolLM2', exact, smol));
  await exact.close();
  if (gemmaFile && existsSync(gemmaFile)) {
    const gemma = await loadModel(gemmaFile, { precision: 'float32' });
    await add(float32('1 Gemma 3', gemma, golden('gemma3-270m')));
    await gemma.close();
  } else say('1 Gemma 3 is left out: LOCI_GEMMA3 does not name its file');
}
const model = await loadModel();
if (wants('2')) {
  await add(int8('2', model, smol, { store: 'f16', book: 0.02, bucket: 0.03 }));
  await add(int8('2, 8-bit cache', model, smol, { store: 'q8', book: 0.03, bucket: 0.03 }));
  await add(int8('2, 4-bit cache', model, smol, { store: 'q4', book: 0.06, bucket: 0.06 }));
}
if (wants('4')) await add(needles('4', model, say));
await model.close();
if (wants('5')) await add(threads('5', smol.long.ids));

const machine = thisMachine();
const sorted = [...findings.values()].toSorted((a, b) => a.id.localeCompare(b.id));
writeFileSync(out, `${JSON.stringify({ model: 'smollm2-135m-instruct', machine, findings: sorted }, null, 2)}\n`);
say(`wrote ${out.pathname}`);
process.exit(sorted.every(({ holds }) => holds) ? 0 : 1);
