/**
 * A whole book with facts in it at even depths: which of them a model answers questions about that reads it with EM-LLM,
 * with the first tokens and a window alone, and that is given the chunks of text that BM25 finds, of as many tokens.
 *
 *   node packages/papers/em-llm/book/main.ts BOOK OUT.json [tokens] [options of em-llm] [depths] [threads] [which] [seed]
 *
 * The book is read once, and every question is asked behind it on its own. With a window alone only the last tokens are read:
 * what lies further back than layers times what one of them sees changes nothing. OUT.json keeps what was measured before of
 * those that are not measured anew; `which` is em-llm, window, bm25, or several of them with + between. Another seed draws other
 * values and another order of the facts.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mean, sentences } from '@loci/evaluate';
import { loadModel, type Model, type Session } from 'loci';
import { parseMethod } from '../../registry.ts';
import { bm25 } from './bm25.ts';
import { drawFacts, type Fact, instruction, planted } from './facts.ts';

const [book, out, tokens = '1000000', options = 'local=512,mem=256', depths = '20', threads = '1', which, seed] =
  process.argv.slice(2);
if (!book || !out) throw new Error('usage: main.ts BOOK OUT.json [tokens] [options] [depths] [threads] [which]');
const wanted = (which ?? 'bm25+em-llm+window').split('+');

interface Answer {
  readonly fact: string;
  readonly depth: number;
  readonly right: boolean;
  /** Mean loss of the value's tokens, teacher-forced. */
  readonly nll: number;
  readonly text: string;
}

const model = await loadModel(undefined, { threads: Number(threads) });
const facts = drawFacts(seed ?? 'em-llm book', Number(depths));
const text = planted(cut(model, sentences(readFileSync(book, 'utf8')), Number(tokens)), facts);
const budget = tokenBudget(options);
const report: Record<string, unknown> = {
  ...(existsSync(out) && JSON.parse(readFileSync(out, 'utf8'))),
  ...{ model: model.name, threads: model.threads, depths: facts.length },
};

const ask = (fact: Fact, document: string) =>
  model.render([{ role: 'user', content: `${instruction}${document}\n${fact.question}` }]) + fact.opening;
const encode = (prompt: string) => model.tokenizer.encode(prompt, { special: 'parse' });

if (wanted.includes('bm25')) await retrieved();
if (wanted.includes('em-llm')) await reading(`em-llm, ${budget} tokens`, options, Number.POSITIVE_INFINITY);
if (wanted.includes('window')) {
  const { init, local, max } = sizes(options);
  const reach = model.arch.layers.length * (local + 2 * max) + init;
  await reading(
    'sinks and window',
    [...options.split(',').filter((one) => !one.startsWith('mem=')), 'mem=0'].join(','),
    reach,
  );
}
await model.close();

/** Reads the beginning and the last `reach` tokens of the book once, and asks every question behind them. */
async function reading(name: string, em: string, reach: number): Promise<void> {
  const whole = facts.map((fact) => encode(ask(fact, text)));
  const [longest = new Int32Array()] = whole;
  const skipped = Math.max(0, longest.length - reach);
  const { init } = sizes(em);
  const prompts = whole.map((ids) => Int32Array.from([...ids.slice(0, init), ...ids.slice(init + skipped)]));
  const [first = new Int32Array()] = prompts;
  const common = prompts.reduce((least, ids) => {
    let n = 0;
    while (n < least && ids[n] === first[n]) n++;
    return n;
  }, first.length);
  const session = await model.open({ remember: parseMethod.remember(`em-llm:${em}`) });
  const speed: { tokens: number; tokensPerSecond: number; cpuMsPerToken: number; residentBytes: number }[] = [];
  let [doneBefore, at, cpu] = [0, performance.now(), process.cpuUsage()];
  await session.prefill(
    { ids: first.slice(0, common) },
    {
      onProgress: ({ doneTokens, totalTokens }) => {
        if (doneTokens - doneBefore < 2048 && doneTokens !== totalTokens) return;
        const now = performance.now();
        const tokensPerSecond = ((doneTokens - doneBefore) / (now - at)) * 1000;
        const { user, system } = process.cpuUsage(cpu);
        // Of all threads: the machine may be shared.
        const cpuMsPerToken = (user + system) / 1000 / (doneTokens - doneBefore);
        speed.push({ tokens: doneTokens, tokensPerSecond, cpuMsPerToken, residentBytes: process.memoryUsage().rss });
        [doneBefore, at, cpu] = [doneTokens, now, process.cpuUsage()];
        console.error(
          `${name}: ${doneTokens} of ${totalTokens}, ${tokensPerSecond.toFixed(0)} tokens/s, ${cpuMsPerToken.toFixed(2)} ms of the processor each`,
        );
      },
    },
  );
  const answers: Answer[] = [];
  for (const [i, fact] of facts.entries()) {
    const fork = session.fork();
    answers.push(await answered(fork, prompts[i] ?? first, fact, i / Math.max(1, facts.length - 1)));
    fork.close();
  }
  const { events, fileBytes, memoryBytes, fetched, vectorBytes } = inspected(session);
  session.close();
  write(
    name,
    {
      budget: tokenBudget(em),
      options: em,
      tokens: common,
      skipped,
      events,
      fileBytes,
      memoryBytes,
      fetched,
      vectorBytes,
      speed,
    },
    answers,
  );
}

/** Puts before every question the chunks that BM25 finds for it, in the order of the text, of so many tokens. */
async function retrieved(): Promise<void> {
  const chunks = chunksOf(text, 64);
  const answers: Answer[] = [];
  for (const [i, fact] of facts.entries()) {
    const scores = bm25(
      chunks.map(({ text }) => text),
      fact.question,
    );
    const ranked = [...chunks.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
    const chosen: number[] = [];
    let total = 0;
    for (const chunk of ranked) {
      total += chunks[chunk]?.tokens ?? 0;
      if (total > budget) break;
      chosen.push(chunk);
    }
    const document = chosen
      .sort((a, b) => a - b)
      .map((chunk) => chunks[chunk]?.text ?? '')
      .join('\n\n');
    const session = await model.open();
    answers.push(await answered(session, encode(ask(fact, document)), fact, i / Math.max(1, facts.length - 1)));
    session.close();
  }
  write(`BM25, ${budget} tokens`, { budget, chunkTokens: 64, chunks: chunks.length }, answers);
}

async function answered(session: Session, prompt: Int32Array, fact: Fact, depth: number): Promise<Answer> {
  const value = model.tokenizer.encode(` ${fact.value}`, { special: 'text' });
  const [losses = new Float64Array()] = await session.scoreContinuations({ ids: prompt }, [value]);
  const { text } = await session.complete({ ids: prompt }, { maxTokens: value.length + 8 });
  return { fact: fact.name, depth, right: text.includes(fact.value), nll: mean([...losses]), text };
}

function write(name: string, about: object, answers: readonly Answer[]): void {
  const recall = mean(answers.map(({ right }) => (right ? 1 : 0)));
  report[name] = { ...about, recall, nll: mean(answers.map(({ nll }) => nll)), answers };
  console.error(`${name}: recall ${recall}, mean loss ${mean(answers.map(({ nll }) => nll)).toFixed(3)}`);
  writeFileSync(out ?? '', `${JSON.stringify(report, undefined, 2)}\n`);
}

/** The first sentences of a book that have so many tokens. */
function cut({ tokenizer }: Model, all: readonly string[], tokens: number): readonly string[] {
  let left = tokens;
  const end = all.findIndex((sentence) => {
    left -= tokenizer.encode(` ${sentence}`, { special: 'text' }).length;
    return left < 0;
  });
  return end < 0 ? all : all.slice(0, end);
}

/** The text in chunks of whole sentences, of at most so many tokens where sentences allow it. */
function chunksOf(whole: string, tokens: number): readonly { readonly text: string; readonly tokens: number }[] {
  const chunks: { text: string; tokens: number }[] = [];
  for (const sentence of sentences(whole)) {
    const n = model.tokenizer.encode(` ${sentence}`, { special: 'text' }).length;
    const last = chunks.at(-1);
    if (last && last.tokens + n <= tokens) {
      last.text += ` ${sentence}`;
      last.tokens += n;
    } else chunks.push({ text: sentence, tokens: n });
  }
  return chunks;
}

/** Tokens that EM-LLM sees of a text. */
function tokenBudget(em: string): number {
  const { init, local, mem } = sizes(em);
  return init + local + mem;
}

function sizes(em: string): {
  readonly init: number;
  readonly local: number;
  readonly mem: number;
  readonly max: number;
} {
  const given = new Map(em.split(',').map((one) => [one.split('=')[0] ?? '', Number(one.split('=')[1])] as const));
  const size = (name: string, otherwise: number) => given.get(name) ?? otherwise;
  return { init: size('init', 16), local: size('local', 512), mem: size('mem', 256), max: size('max', 64) };
}

function inspected(session: Session): Record<string, unknown> {
  const found = session.remembered;
  if (typeof found !== 'object' || found === null) return {};
  const { events, ...rest } = Object.fromEntries(Object.entries(found));
  return { ...rest, events: Array.isArray(events) ? events.length : 0 };
}
