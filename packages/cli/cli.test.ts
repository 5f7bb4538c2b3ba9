import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { golden, runCli, startCli } from './testing/cli.ts';

interface GoldenPrompt {
  readonly ids: readonly number[];
  readonly nll: readonly number[];
  readonly greedy: readonly number[];
}
const { prompts } = golden('smollm2') as { readonly prompts: Readonly<Record<'code' | 'chat', GoldenPrompt>> };
const { cases } = golden('smollm2-tokens') as {
  readonly cases: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly special: readonly number[];
  }[];
};

const folder = mkdtempSync(join(tmpdir(), 'loci-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | object): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

/** Runs a command that must succeed and print one document. */
const json = (...args: string[]) => jsonIn({}, ...args);

async function jsonIn(env: Readonly<Record<string, string>>, ...args: string[]) {
  const { code, stdout, stderr } = await runCli([...args, '--json'], { env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

/** Until a program has written something to stderr, which it does every few seconds. */
function said({ stderr }: ReturnType<typeof startCli>['child'], pattern: RegExp): Promise<void> {
  let text = '';
  return new Promise((resolve) =>
    stderr.on('data', (data) => {
      text += data;
      if (pattern.test(text)) resolve();
    }),
  );
}

const facts = ['model', 'threads', 'precision', 'attend', 'keep', 'store', 'weightBytes', 'peakBytes'];
const generation = [
  ...['text', 'ids', 'stopReason', 'promptTokens', 'reusedTokens'],
  ...['prefillMs', 'prefillTokensPerSecond', 'decodeMsPerToken', 'kvBytes'],
];

test('ask keeps what it has read of a text, for other questions and past the window', async () => {
  const note = file(
    'kept.txt',
    `The lamp is lit at dusk. ${'The hens are fed at noon, and the gate is shut. '.repeat(30)}`,
  );
  const how = [
    '--remember',
    'em-llm:local=128,mem=64,chunk=64',
    '--reading',
    join(folder, 'kept'),
    '--max-tokens',
    '4',
    // On a busy machine reading takes as long as progress waits.
    '--quiet',
  ];
  const first = await json('ask', note, 'When is the lamp lit?', ...how);
  const second = await json('ask', note, 'What is shut?', ...how);
  expect(first.remember).toMatch(/^em-llm:init=16,local=128,/);
  expect(first.promptTokens).toBeGreaterThan(300);
  for (const { promptTokens, reusedTokens } of [first, second]) {
    expect(promptTokens - reusedTokens).toBeGreaterThan(0);
    expect(promptTokens - reusedTokens).toBeLessThan(30);
  }
  const other = await runCli(['ask', note, 'What?', '--reading', join(folder, 'kept')]);
  expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('for remember, and is opened without any') });
});

test('ask finds a fact in a text', async () => {
  const note =
    'The hens are fed at noon.\n\nThe access code of the harbour gate is 58213.\n\nThe lamp is lit at dusk.\n';
  const question = 'What is the access code of the harbour gate?';
  const answer = await json('ask', file('note.txt', note), question, '--max-tokens', '24');
  expect(Object.keys(answer).sort()).toEqual(['question', ...generation, ...facts].sort());
  expect(answer.text).toContain('58213');
  expect(answer).toMatchObject({
    question,
    reusedTokens: 0,
    model: 'smollm2-135m-instruct',
    precision: 'int8',
    store: 'f16',
  });
  for (const field of ['promptTokens', 'prefillMs', 'decodeMsPerToken', 'kvBytes', 'weightBytes']) {
    expect(answer[field], field).toBeGreaterThan(0);
  }
  expect(answer.peakBytes).toBeGreaterThan(answer.weightBytes);
});

test('run continues ids as they are, as the reference does in float32', async () => {
  const { ids, greedy } = prompts.chat;
  const result = await json('run', '--ids', file('chat.json', { ids }), '--max-tokens', '6', '--precision', 'float32');
  expect(Object.keys(result).sort()).toEqual([...generation, ...facts].sort());
  expect(result.ids).toEqual(greedy.slice(0, 6));
  expect(result).toMatchObject({ promptTokens: ids.length, stopReason: 'length', precision: 'float32', store: 'f32' });
});

test('the losses of score and of score --continue are those of the reference', async () => {
  const { ids, nll } = prompts.code;
  const bucket = 40;
  const whole = file('code.json', { ids });
  const scored = await json('score', '--ids', whole, '--bucket', String(bucket), '--precision', 'float32');
  expect(scored).toMatchObject({ tokens: ids.length, bucket });
  expect(scored.nllPerBucket).toHaveLength(3);
  for (const [b, mean] of scored.nllPerBucket.entries()) {
    const part = nll.slice(b * bucket, (b + 1) * bucket);
    expect(mean).toBeCloseTo(part.reduce((sum, loss) => sum + loss, 0) / part.length, 2);
  }
  const split = 60;
  const head = file('head.json', { ids: ids.slice(0, split) });
  const tail = file('tail.json', { ids: ids.slice(split) });
  const behind = await json('score', '--ids', head, '--continue', tail, '--precision', 'float32');
  expect(behind.nll).toHaveLength(ids.length - split);
  expect(behind.kvBytes).toBeGreaterThan(0);
  for (const [i, loss] of behind.nll.entries()) expect(Math.abs(loss - (nll[split - 1 + i] ?? 0))).toBeLessThan(0.02);
});

test('tokenize gives the ids of the reference, and its document is an id file', async () => {
  const { text, ids, special } = cases.find(({ ids, special }) => ids.length > special.length) ?? {
    text: '',
    ids: [],
    special: [],
  };
  const path = file('special.txt', text);
  expect(await json('tokenize', path)).toEqual({ ids });
  expect(await json('tokenize', path, '--special')).toEqual({ ids: special });
  const plain = await runCli(['tokenize', '-'], { input: text });
  expect(plain).toMatchObject({ code: 0, stdout: `${ids.join(' ')}\n`, stderr: `${ids.length} tokens\n` });
});

test('models lists the bundled model', async () => {
  const { models } = await json('models');
  expect(models).toContainEqual(expect.objectContaining({ name: 'smollm2-135m-instruct', source: 'bundled' }));
});

test('a chat without a terminal answers every line and reads only what is new', async () => {
  const path = join(folder, 'saved.loci');
  const input = `Name a colour.\nName another one.\n/save ${path}\n`;
  const first = await runCli(['chat', '--json', '--max-tokens', '5'], { input });
  expect(first.code).toBe(0);
  const { turns } = JSON.parse(first.stdout);
  expect(turns).toHaveLength(2);
  // The last token of the first answer was not read yet.
  expect(turns[1].reusedTokens).toBe(turns[0].promptTokens + turns[0].ids.length - 1);
  const again = await runCli(['chat', '--json', '--max-tokens', '5'], { input: `/load ${path}\nAnd another one.\n` });
  const [third] = JSON.parse(again.stdout).turns;
  expect(third.reusedTokens).toBe(turns[1].promptTokens + turns[1].ids.length);
});

test('a chat that has filled the window says so with both numbers', async () => {
  const { code, stderr } = await runCli(['chat'], { input: `${'river '.repeat(8200)}\n` });
  expect({ code, stderr }).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^loci: the conversation has 8,2\d\d tokens and the window is 8,192: \/reset .*\n$/),
  });
});

test('without a terminal there is nothing but the answer', async () => {
  const { code, stdout, stderr } = await runCli(['chat', '--max-tokens', '5'], { input: 'hi\n' });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '(cut at 5 tokens; --max-tokens allows more)\n' });
  expect(stdout).toMatch(/^[\x20-\x7e]+\n$/);
});

test.each([
  ['no command', [], 2, 'no command'],
  ['an unknown command', ['aks'], 2, 'unknown command "aks"'],
  ['an unknown option', ['run', '--treads', '2'], 2, 'unknown option --treads; see loci run --help'],
  ['no prompt', ['run'], 2, 'give one of --prompt, --prompt-file and --ids; there are 0'],
  ['two prompts', ['run', '--prompt', 'a', '--ids', 'b'], 2, 'there are 2'],
  ['a method that is not there', ['run', '--prompt', 'a', '--keep', 'snapvk'], 2, 'known methods: all, snapkv'],
  ['a wrong option', ['run', '--prompt', 'a', '--keep', 'snapkv:window=0'], 2, 'window is "0"; it must be at least 1'],
  ['a missing file', ['ask', '/nowhere/a.txt', 'What?'], 1, '/nowhere/a.txt: there is no such file'],
  ['a missing model', ['run', '--prompt', 'a', '--model', './nowhere.gguf'], 1, 'nowhere.gguf'],
  ['a file that is no model', ['run', '--prompt', 'a', '--model', file('bad.gguf', 'GGUF?')], 1, 'bad.gguf'],
])('%s ends with one line and a code', async (_, args, code, message) => {
  const [plain, documented] = await Promise.all([runCli(args), runCli([...args, '--json'])]);
  expect(plain).toMatchObject({ code, stdout: '' });
  expect(plain.stderr).toContain(message);
  expect(plain.stderr).toMatch(/^loci: .*\n$/);
  if (args.length > 0) expect(JSON.parse(documented.stdout).error.message).toContain(message);
});

test('ids outside the vocabulary and a prompt beyond the window are refused', async () => {
  const outside = await runCli(['run', '--ids', file('outside.json', { ids: [1, 49152] })]);
  expect(outside).toMatchObject({ code: 2, stderr: 'loci: token 1 is 49152; ids go from 0 to 49151\n' });
  const long = await runCli(['ask', file('long.txt', 'one two three '.repeat(100_000)), 'What?', '--json']);
  expect(long.code).toBe(1);
  expect(JSON.parse(long.stdout).error).toMatchObject({ code: 'too-long', message: expect.stringContaining('8192') });
});

test('bench shows every kernel of both phases against the limits', async () => {
  const { limits, phases, threads } = await json('bench', '--tokens', '40', '--rounds', '1', '--threads', '2');
  expect([threads, limits.threads]).toEqual([2, 2]);
  expect(phases).toMatchObject([
    { phase: 'prefill', behind: 40, tokens: 256 },
    { phase: 'decode', behind: 40, tokens: 1 },
  ]);
  for (const { kernels } of phases) {
    const attend = kernels.find((row: { kernel: string }) => row.kernel === 'attend');
    expect(attend).toMatchObject({ calls: 30, limited: { share: expect.any(Number) } });
  }
  const beyond = await runCli(['bench', '--tokens', '8000']);
  expect(beyond).toMatchObject({ code: 2, stderr: expect.stringContaining('the window of 8,192 tokens') });
});

test('LOCI_DEBUG adds the stack', async () => {
  const { stderr } = await runCli(['ask', '/nowhere/a.txt', 'What?'], { env: { LOCI_DEBUG: '1' } });
  expect(stderr).toMatch(/\n +at /);
});

test('help and version go to stdout', async () => {
  const [help, version] = await Promise.all([runCli(['run', '--help']), runCli(['--version'])]);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toContain('--repetition-penalty R');
  const { stdout } = await runCli(['compare', '--help']);
  expect(stdout).toMatch(/--task needle\|[^\n]*\n +What is asked \(default needle\)\n/);
  expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

test('a Ctrl-C while the demo reads its text ends it at once, with what was done', async () => {
  const { child, ended } = startCli(['demo', '--json']);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const signalled = performance.now();
  child.kill('SIGINT');
  const { code, stdout } = await ended;
  expect(performance.now() - signalled).toBeLessThan(2000);
  expect(code).toBe(130);
  expect(JSON.parse(stdout).error).toMatchObject({
    code: 'aborted',
    message: expect.stringMatching(/^stopped after reading/),
  });
});

test('a reader that goes away ends the program quietly', async () => {
  const { child, ended } = startCli(['run', '--prompt', 'Once upon a time', '--ignore-end', '--max-tokens', '5000']);
  child.stdout.once('data', () => child.stdout.destroy());
  expect(await ended).toMatchObject({ code: 0, stderr: '' });
});

test('heads scores every head of the model and draws them', async () => {
  const svg = join(folder, 'heads.svg');
  const { made, of, scores } = await json('heads', '--probe', 'retrieval-head', '--cases', '1', '--svg', svg);
  expect(of).toBe('heads');
  expect(scores.map((row: readonly number[]) => row.length)).toEqual(Array(30).fill(9));
  expect(Math.max(...scores.flat())).toBeGreaterThan(0.5);
  expect(made).toMatchObject({
    method: 'retrieval-head',
    settings: { mode: 'teacher-forced', command: 'loci heads --probe retrieval-head --cases 1' },
  });
  expect(readFileSync(svg, 'utf8')).toContain('<title>29.8: ');
  expect(await runCli(['heads', '--probe', 'nothing'])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/--probe is "nothing"; it must be one of retrieval-head/),
  });
});

test('every head probe takes the same options', async () => {
  const asked = [
    'heads',
    '--probe',
    'induction',
    '--precision',
    'int8',
    '--store',
    'q8',
    '--seed',
    '3',
    '--threads',
    '1',
    '--quiet',
  ];
  const { made, scores } = await json(...asked);
  expect(scores.map((row: readonly number[]) => row.length)).toEqual(Array(30).fill(9));
  expect(made).toMatchObject({
    method: 'induction',
    settings: { precision: 'int8', store: 'q8', count: 1, command: expect.stringMatching(/--seed 3 .*--store q8$/) },
    seed: 3,
  });
  const hidden = await runCli(['heads', '--probe', 'induction', '--keep', 'snapkv']);
  expect(hidden).toMatchObject({ code: 2, stderr: expect.stringMatching(/^loci: --probe induction.* --keep snapkv/) });
});

test.each(['retrieval-head', 'induction'])(
  'a Ctrl-C while %s is measured ends it, with what was done',
  async (probe) => {
    const { child, ended } = startCli(['heads', '--probe', probe, '--cases', '500', '--json']);
    await said(child, /measuring text/);
    child.kill('SIGINT');
    const { code, stdout } = await ended;
    expect(code).toBe(130);
    expect(JSON.parse(stdout).error).toMatchObject({
      code: 'aborted',
      message: expect.stringMatching(/^stopped after \d+ of 500 texts$/),
    });
  },
);

test('a comparison that was stopped goes on where it was, and gives one document, a page and a drawing', async () => {
  const env = { LOCI_CACHE: join(folder, 'cache') };
  const [svg, markdown] = [join(folder, 'compare.svg'), join(folder, 'compare.md')];
  const methods = ['--method', 'dense', '--method', 'keep=snapkv:budget=25%,store=q4'];
  const few = [
    'compare',
    ...methods,
    '--length',
    '128',
    '--length',
    '160',
    '--mode',
    'both',
    '--cases',
    '2',
    '--threads',
    '1',
  ];
  const many = few.map((text) => (text === '2' ? '100' : text));
  const { child, ended } = startCli([...many, '--json'], { env });
  await said(child, /[1-9]\d* of 800 runs done/);
  child.kill('SIGINT');
  const stopped = await ended;
  expect(stopped.code).toBe(130);
  const { message } = JSON.parse(stopped.stdout).error;
  expect(message).toMatch(/^stopped after [1-9]\d* of 800 runs; they are kept, and the same command goes on/);
  const done = Number.parseInt(message.slice('stopped after '.length), 10);

  // The first cases of both are the same, so that those of the first length are known.
  const again = await runCli([...few, '--svg', svg, '--markdown', markdown], { env });
  expect(again.code).toBe(0);
  expect(again.stderr).toContain(`${Math.min(8, done)} of 16 runs had been measured before\n`);
  expect(again.stdout).toMatch(/needle, 128 tokens, 2 cases\nquery-aware\n +method .*\n +dense +\d.* ± /);
  expect(readFileSync(markdown, 'utf8').match(/^\| dense \| .* ± /gm)).toHaveLength(4);
  expect(readFileSync(svg, 'utf8').match(/<title>/g)).toHaveLength(8);
  const { results, cases } = await jsonIn(env, ...few, '--quiet');
  expect(cases).toBe(2);
  expect(results).toMatchObject([
    { length: 128, rows: [{ method: 'dense', mode: 'query-aware', gap: { value: 0 } }, {}, {}, {}] },
    { length: 160, rows: [{}, {}, { mode: 'query-agnostic' }, { standardErrors: { nll: expect.any(Number) } }] },
  ]);
});

test('papers lists a paper with its claims, and a method with its options', async () => {
  const all = await json('papers');
  const { papers, methods } = await json('papers', 'snapkv');
  expect(papers).toEqual([all.papers.find(({ slug }: { readonly slug: string }) => slug === 'snapkv')]);
  expect(methods).toMatchObject([{ axis: 'keep', method: 'snapkv' }]);
  expect(methods[0].options).toContainEqual(expect.objectContaining({ name: 'pooling', default: 'max' }));
  const plain = await runCli(['papers', 'knorm']);
  expect(plain.stdout).toMatch(/^--keep knorm: .*\n\n +option +default +what it is\n +budget +1024 +slots per head/);
  expect(await runCli(['papers', 'snapvk'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('"snapvk"; there are based'),
  });
});

test('a comparison refuses before it loads a model what it could not end with', async () => {
  const asked = (...args: string[]) => runCli(['compare', '--length', '128', '--cases', '1', ...args]);
  const [wrong, nowhere, short] = await Promise.all([
    asked('--method', 'keep=snapkv:window=0'),
    asked('--svg', join(folder, 'no', 'such.svg')),
    asked('--length', '3'),
  ]);
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('window is "0"; it must be at least 1') });
  expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringContaining('such.svg') });
  expect(short).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--length is "3"; it must be a whole number'),
  });
});
