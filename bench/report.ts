import type { Timing } from './protocol.ts';

/** One engine (with one file) at one prompt length. */
export interface Row {
  readonly engine: string;
  readonly promptTokens: number;
  readonly decodeTokens: number;
  readonly prefillTokensPerSecond: Summary;
  readonly decodeMsPerToken: Summary;
  /** How many of the greedily generated tokens are Loci's too, from the first on. */
  readonly sameTokens: number;
}

export interface Summary {
  readonly median: number;
  readonly all: readonly number[];
}

export interface Report {
  readonly date: string;
  readonly machine: {
    readonly processor: string;
    readonly cores: number;
    readonly node: string;
    readonly system: string;
  };
  readonly model: string;
  readonly peer: string;
  readonly threads: number;
  readonly repetitions: number;
  readonly rows: readonly Row[];
}

export function rowOf(engine: string, promptTokens: number, timings: readonly Timing[], loci: readonly Timing[]): Row {
  const ids = timings[0]?.ids ?? [];
  const different = ids.findIndex((id, i) => id !== loci[0]?.ids[i]);
  return {
    engine,
    promptTokens,
    decodeTokens: ids.length - 1,
    prefillTokensPerSecond: summary(timings.map(({ prefillMs }) => (promptTokens / prefillMs) * 1000)),
    decodeMsPerToken: summary(timings.map(({ decodeMs }) => decodeMs)),
    sameTokens: different < 0 ? ids.length : different,
  };
}

function summary(values: readonly number[]): Summary {
  const all = values.map((value) => Number(value.toPrecision(4)));
  const sorted = all.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return { median: sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2, all };
}

/** Medians in a table for each of the two phases; in brackets how many times faster Loci is. */
export function markdown({ date, machine, model, peer, threads, repetitions, rows }: Report): string {
  const lengths = [...new Set(rows.map(({ promptTokens }) => promptTokens))];
  const engines = [...new Set(rows.map(({ engine }) => engine))];
  const row = (engine: string, length: number) =>
    rows.find((one) => one.engine === engine && one.promptTokens === length);
  const table = (title: string, value: (row: Row) => number, faster: (loci: number, other: number) => number) => {
    const cell = (engine: string, length: number) => {
      const [mine, loci] = [row(engine, length), row('Loci', length)];
      if (!mine || !loci) return '–';
      const median = value(mine);
      const ratio = engine === 'Loci' ? '' : ` (${faster(value(loci), median).toFixed(2)}×)`;
      return `${median.toFixed(median < 100 ? 1 : 0)}${ratio}`;
    };
    return [
      `| ${title} | ${lengths.map((length) => `${length} tokens`).join(' | ')} |`,
      `|---|${lengths.map(() => '---|').join('')}`,
      ...engines.map((engine) => `| ${engine} | ${lengths.map((length) => cell(engine, length)).join(' | ')} |`),
    ].join('\n');
  };
  const settings = `${threads} threads, processor only, flash attention and an F16 cache for the peer`;
  return [
    '# Side by side with the peer',
    `${model}, Loci and ${peer}, ${settings}. Medians of ${repetitions} alternating repetitions in one run, each with a ` +
      'fresh context; the number in brackets says how many times faster Loci is.',
    table(
      'prefill, tokens per second',
      (one) => one.prefillTokensPerSecond.median,
      (loci, other) => loci / other,
    ),
    table(
      'decode, ms per token',
      (one) => one.decodeMsPerToken.median,
      (loci, other) => other / loci,
    ),
    `${machine.processor}, ${machine.cores} cores, ${machine.system}, Node ${machine.node}, ${date}. ` +
      'Written by `npm --prefix bench run bench`.',
    '',
  ].join('\n\n');
}
