import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { thisMachine } from '@loci/evaluate/machine';
import { command } from '../command.ts';
import { withModel } from '../engine.ts';
import { noMethods } from '../methods.ts';
import { flag, text, texts, usage, whole } from '../options/option.ts';
import { sourceOptions } from '../options/shared.ts';
import { duration } from '../output/format.ts';
import { openResults } from '../results.ts';

const results = fileURLToPath(new URL('../../../docs/results', import.meta.url));

export const reproduce = command({
  name: 'reproduce',
  summary: "Check a paper's claims: what was claimed, what was measured, whether it holds.",
  usage: ['PAPER', 'PAPER --full', 'PAPER --claim 3'],
  positionals: [{ name: 'PAPER', help: 'the name of a paper; loci papers lists them' }],
  options: {
    quick: flag('In minutes (the default)'),
    full: flag('At the sizes of the claims, as long as it takes'),
    claim: texts('N', 'Only this item; may be repeated. Nothing is written'),
    out: text('FOLDER', 'Where PAPER.json and PAPER.md go (default docs/results)'),
    threads: whole('N', 'Worker threads (default: one per processor)', { min: 1, max: 64 }),
    ...sourceOptions,
  },
  async run({ options, positionals: [slug] }, context) {
    const { quick, full, claim: only, out = results } = options;
    if (quick && full) throw usage('give one of --quick and --full');
    const [{ papers }, { reproduce: run, reproductionMarkdown }] = await Promise.all([
      import('@loci/papers'),
      import('@loci/evaluate'),
    ]);
    const paper = papers.find((known) => known.slug === slug);
    if (!paper) throw usage(`there is no paper "${slug}"; there are ${papers.map((known) => known.slug).join(', ')}`);
    const unknown = only.find((id) => !paper.claims.some((one) => one.id === id || one.id.replace(/\D+$/, '') === id));
    if (unknown !== undefined) throw usage(`${slug} has no claim ${unknown}`);
    const { reporter, interrupt } = context;
    const left = timeLeft();
    await withModel({ ...options, ...noMethods }, context, async ({ model }) => {
      using store = openResults();
      const reproduction = await run(paper, model, {
        ...{
          scale: full ? 'full' : 'quick',
          store,
          signal: interrupt.signal,
          machine: { ...thisMachine(), threads: model.threads },
        },
        ...(only.length > 0 && { only }),
        onProgress: ({ claim, index, total, what, share }) => {
          const part = share === undefined ? what : `${what}, ${Math.floor(100 * share)} %${left(what, share)}`;
          reporter.progress(
            `claim ${claim.id} (${index + 1} of ${total}): ${part}`,
            `at claim ${claim.id}, ${index} of ${total} done; what was measured is kept`,
          );
        },
        onJudged: ({ id, claimed, holds, ms, note }) => {
          reporter.text(`${holds ? 'holds        ' : 'does not hold'}  ${id}  ${claimed} (${duration(ms)})\n`);
          if (note !== undefined) reporter.text(`                  ${note}\n`);
        },
      });
      reporter.document(reproduction);
      if (only.length > 0) return;
      await mkdir(out, { recursive: true });
      await writeFile(join(out, `${slug}.json`), `${JSON.stringify(reproduction, null, 2)}\n`);
      await writeFile(join(out, `${slug}.md`), reproductionMarkdown(reproduction));
      reporter.note(`written: ${join(out, `${slug}.json`)} and .md`);
    });
  },
});

/** How long a piece of a claim takes on, from what of it was done since it was first heard of. What was known takes no time. */
function timeLeft(): (what: string, share: number) => string {
  let piece = { what: '', share: 0, started: 0 };
  let last = 0;
  return (what, share) => {
    const now = performance.now();
    if (what !== piece.what || now - last < 50) piece = { what, share, started: now };
    last = now;
    const done = share - piece.share;
    return done > 0 ? `, ${duration(((now - piece.started) * (1 - share)) / done)} left` : '';
  };
}
