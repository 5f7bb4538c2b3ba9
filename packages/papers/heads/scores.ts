import { readFileSync } from 'node:fs';
import type { Json } from '@loci/evaluate';
import { LociError, type ModelFacts } from 'loci';
import { z } from 'zod';

const table = z.array(z.array(z.number()).min(1)).min(1);

/** A number for every head of a model, and what made it: from these come plans of which heads keep what. */
const schema = z.strictObject({
  model: z.strictObject({ name: z.string(), fingerprint: z.string() }),
  /** What made the scores: its name, its settings, and the seed of what it drew by chance. */
  made: z.strictObject({ method: z.string(), settings: z.record(z.string(), z.json()), seed: z.number() }),
  /** Whether a row of scores is about query heads or about key/value heads. */
  of: z.enum(['heads', 'kvHeads']),
  /** [layer][head], the higher the more the head needs the whole text. */
  scores: table,
  /** Further scores of the same heads, by name. */
  others: z.record(z.string(), table).default({}),
});

export type HeadTable = readonly (readonly number[])[];

export type HeadScores = {
  readonly model: { readonly name: string; readonly fingerprint: string };
  readonly made: { readonly method: string; readonly settings: Readonly<Record<string, Json>>; readonly seed: number };
  readonly of: 'heads' | 'kvHeads';
  /** [layer][head]; NaN where a head was not asked, null in a file. */
  readonly scores: HeadTable;
  readonly others: Readonly<Record<string, HeadTable>>;
};

/** @throws LociError `bad-file` naming the file and what is wrong with it. */
export function readHeadScores(path: string | URL): HeadScores {
  const refuse = (reason: string) => new LociError('bad-file', `${String(path)} holds no scores of heads: ${reason}`);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : String(error));
  }
  const read = schema.safeParse(json);
  if (read.success) return read.data;
  const issue = read.error.issues[0];
  throw refuse(`${issue?.path.join('.') || 'the document'}: ${issue?.message ?? 'it makes no sense'}`);
}

/** Why scores do not belong to a model; undefined when they do. */
export function foreign({ model, of, scores, others }: HeadScores, { name, fingerprint, arch }: ModelFacts) {
  if (model.fingerprint !== fingerprint) return `the scores of heads were made for ${model.name}, and this is ${name}`;
  const perLayer = of === 'heads' ? arch.heads : arch.kvHeads;
  for (const rows of [scores, ...Object.values(others)]) {
    if (rows.length !== arch.layers.length) return `the scores are for ${rows.length} layers of ${arch.layers.length}`;
    const wrong = rows.findIndex(({ length }) => length !== perLayer);
    if (wrong >= 0) return `layer ${wrong} has ${rows[wrong]?.length} scores for ${perLayer} ${of}`;
  }
  return undefined;
}
