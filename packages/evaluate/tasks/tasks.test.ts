import { loadModel } from 'loci';
import { describe, expect, test } from 'vitest';
import { chatModel } from '../testing/chat.ts';
import {
  commonWords,
  keyValue,
  multikey,
  needle,
  passkey,
  perplexity,
  repeatedPassage,
  type TaskCase,
  tasks,
  variables,
} from './index.ts';

const model = await chatModel();
const { tokenizer } = model;
const lengths = [1024, 2048, 5000];
const numbers = [0, 1, 2, 3];
const prompt = ({ context, question }: TaskCase) => Int32Array.from([...context, ...question]);
const textOf = (ids: Iterable<number>) => tokenizer.decode(ids);
const inSpan = (of: TaskCase, kind: string) =>
  of.spans.filter((span) => span.kind === kind).map(({ start, end }) => textOf(prompt(of).slice(start, end)).trim());

describe.each(Object.keys(tasks).filter((name): name is keyof typeof tasks => name in tasks))('%s', (name) => {
  const task = tasks[name];

  test('the same number gives the same case, another number or seed another one', () => {
    const first = task(model, { length: 1024 }, 5);
    expect(task(model, { length: 1024, seed: 0 }, 5)).toEqual(first);
    const others = [task(model, { length: 1024 }, 6), task(model, { length: 1024, seed: 1 }, 5)];
    for (const other of others) {
      expect(other.id).not.toBe(first.id);
      expect([...other.context, ...other.answer]).not.toEqual([...first.context, ...first.answer]);
    }
  });

  test('a case is as long as asked, to within one piece', () => {
    for (const length of lengths) {
      for (const number of numbers) {
        const of = task(model, { length }, number);
        const tokens = prompt(of).length + (name === 'perplexity' ? of.answer.length : 0);
        expect(tokens).toBeLessThanOrEqual(length);
        expect(tokens).toBeGreaterThanOrEqual(length - (name === 'key-value' ? 24 : Math.max(10, length / 100)));
      }
    }
  });

  test('context, question and answer are the tokens of the whole text', () => {
    for (const number of numbers) {
      const of = task(model, { length: 1024 }, number);
      const ids = [...prompt(of), ...(name === 'repeated-passage' ? [] : of.answer)];
      expect(Array.from(tokenizer.encode(textOf(ids), { special: 'parse' }))).toEqual(ids);
    }
  });

  test('what is accepted stands in the right answer', () => {
    const of = task(model, { length: 1024 }, 0);
    for (const text of of.accepted) expect(textOf(of.answer)).toContain(text);
    expect(of.maxTokens).toBeGreaterThanOrEqual(of.accepted.length > 0 ? of.answer.length : 0);
  });

  test('a length that is too small is refused', () => {
    expect(() => task(model, { length: name === 'perplexity' ? 1 : 40 }, 0)).toThrow(
      /must be|needs at least \d+ tokens/,
    );
  });
});

test('spans cover the needle and its value to the letter', () => {
  for (const haystack of ['moby-dick', 'frankenstein', 'state-of-the-union-1904', 'noise'] as const) {
    for (const value of ['numbers', 'uuids', 'words'] as const) {
      const of = needle(model, { length: 900, haystack, value }, 1);
      const [hidden = ''] = of.accepted;
      const [, key] = /for (\S+) mentioned/.exec(textOf(of.question)) ?? [];
      expect(inSpan(of, 'value')).toEqual([hidden]);
      expect(inSpan(of, 'needle')).toEqual([`One of the special magic ${value} for ${key} is: ${hidden}.`]);
      expect(textOf(prompt(of)).split(hidden)).toHaveLength(2);
      expect(textOf(of.answer)).toBe(` ${hidden}`);
    }
  }
});

test('a question is what comes after the document, with the template and the opening of the answer', () => {
  const of = needle(model, { length: 600, key: 'uuids' }, 0);
  const asked = /^\nWhat is (the special magic number for [0-9a-f-]{36} mentioned in the provided text)\?/;
  const [, words] = asked.exec(textOf(of.question)) ?? [];
  expect(textOf(of.question)).toMatch(new RegExp(`assistant\nThe${words?.slice(3)} is$`));
});

test('a needle lies at the depth that was asked for', () => {
  for (const depth of [0, 0.25, 0.5, 0.75, 1]) {
    const of = needle(model, { length: 4000, depth }, 0);
    const start = of.spans.find(({ kind }) => kind === 'needle')?.start ?? Number.NaN;
    expect(Math.abs(start / of.context.length - depth)).toBeLessThan(0.05);
  }
  for (const number of numbers) {
    const of = passkey(model, { length: 2048, depth: [0.2, 0.7] }, number);
    const start = of.spans.find(({ kind }) => kind === 'needle')?.start ?? Number.NaN;
    expect(start).toBeGreaterThan(0.18 * 2048);
    expect(start).toBeLessThan(0.72 * 2048);
  }
  expect(() => needle(model, { length: 600, depth: 1.5 }, 0)).toThrow('depth is 1.5');
});

test('distractors have other keys and values than the needle', () => {
  const of = multikey(model, { length: 2048, distractors: 7 }, 2);
  const others = inSpan(of, 'distractor');
  const all = [...inSpan(of, 'needle'), ...others].map((text) => /for (\S+) is: (\d{7})\.$/.exec(text) ?? []);
  expect(others).toHaveLength(7);
  expect(new Set(all.map(([, key]) => key)).size).toBe(8);
  expect(new Set(all.map(([, , value]) => value)).size).toBe(8);
});

test('a needle whose words the text has itself is refused, and such a key is not drawn', () => {
  const told = { name: 'told', sentences: ['It was a special magic evening.', 'So it was.'], between: ' ' };
  expect(() => needle(model, { length: 600, haystack: told }, 0)).toThrow(/text "told" has the words "special magic"/);
  expect(() => passkey(model, { length: 600, haystack: { ...told, sentences: ['A pass key!'] } }, 0)).toThrow(
    '"pass key"',
  );
  const drawn = needle(model, { length: 600, haystack: { ...told, sentences: ['Nothing.'] } }, 0);
  const [, key = ''] = /for (\S+) mentioned/.exec(textOf(drawn.question)) ?? [];
  // The same random choices, in a text that has the key: the next one is taken.
  const again = needle(model, { length: 600, haystack: { ...told, sentences: ['Nothing.', `A ${key}!`] } }, 0);
  expect(textOf(again.question)).not.toContain(key);
});

test('a pass key is said twice', () => {
  const of = passkey(model, { length: 700, digits: 6 }, 0);
  const [key] = of.accepted;
  expect(inSpan(of, 'value')).toEqual([key, key]);
  expect(inSpan(of, 'needle')).toEqual([`The pass key is ${key}. Remember it. ${key} is the pass key.`]);
});

test('assignments, followed from the value, give the accepted variables', () => {
  const of = variables(model, { length: 1500, chains: 3, hops: 4 }, 1);
  const [, value = ''] = /assigned the value (\d{5}) in/.exec(textOf(of.question)) ?? [];
  const document = textOf(of.context);
  const assignments = [...document.matchAll(/VAR ([A-Z]{5}) = (?:VAR )?(\w{5})$/gm)];
  expect(assignments).toHaveLength(15);
  const found: string[] = [];
  for (let from: string | undefined = value; from; ) {
    from = assignments.find(([, , source]) => source === from)?.[1];
    if (from) found.push(from);
  }
  expect(found).toEqual(of.accepted);
  expect(inSpan(of, 'value')).toEqual(of.accepted);
  expect(inSpan(of, 'distractor')).toHaveLength(10);
});

test('the common words are the most common ones of the list, and no other word contains them', () => {
  for (const length of [2048, 5000]) {
    const of = commonWords(model, { length }, 0);
    const list = textOf(of.context).split('Memorize the ones that appear most often.\n').at(-1) ?? '';
    const counts = new Map<string, number>();
    for (const [, word = ''] of list.matchAll(/\d+\. ([a-z]+)/g)) counts.set(word, (counts.get(word) ?? 0) + 1);
    const sorted = [...counts].sort(([, a], [, b]) => b - a);
    expect(
      sorted
        .slice(0, 10)
        .map(([word]) => word)
        .sort(),
    ).toEqual([...of.accepted].sort());
    expect(sorted[9]?.[1]).toBeGreaterThan(sorted[10]?.[1] ?? 0);
    for (const [word] of sorted.slice(10)) for (const right of of.accepted) expect(word).not.toContain(right);
  }
});

test('the key that is asked for stands once, with the value, among others', () => {
  for (const form of ['lines', 'json'] as const) {
    const of = keyValue(model, { length: 1500, form }, 0);
    const [entry = ''] = inSpan(of, 'needle');
    expect(inSpan(of, 'value')).toEqual(of.accepted);
    expect(textOf(prompt(of)).split(entry)).toHaveLength(2);
    const keys = [...textOf(of.context).matchAll(form === 'lines' ? /^line (\S+):/gm : /"([^"]+)": "/g)];
    expect(new Set(keys.map(([, key]) => key)).size).toBe(keys.length);
    expect(keys.length).toBeGreaterThan(5);
    const [, asked = ''] = (form === 'lines' ? /in line (\S+)\?/ : /Key: "(.+)"/).exec(textOf(of.question)) ?? [];
    expect(entry).toContain(asked);
  }
  const whole = textOf(prompt(keyValue(model, { length: 1500, form: 'json' }, 0)));
  const object = /JSON data:\n(.+)\n\nKey:/s.exec(whole)?.[1] ?? '';
  expect(Object.keys(JSON.parse(object)).length).toBeGreaterThan(5);
});

test('the second copy of a passage is the first, and other text lies between', () => {
  const of = repeatedPassage(model, { length: 1700, passage: 150 }, 0);
  const [span] = of.spans;
  expect(of.context.slice(span?.start, span?.end)).toEqual(of.answer);
  expect(of.answer).toHaveLength(150);
  expect(of.context).toHaveLength(1700);
  expect(textOf(of.context).split(textOf(of.answer))).toHaveLength(2);
});

test('perplexity divides running text between context and answer', () => {
  const ofLast = perplexity(model, { length: 1000, scored: 200 }, 0);
  expect([ofLast.context.length, ofLast.answer.length, ofLast.question.length]).toEqual([800, 200, 0]);
  const ofAll = perplexity(model, { length: 1000 }, 0);
  expect([ofAll.context.length, ofAll.answer.length]).toEqual([1, 999]);
});

test('running text does not go round', () => {
  const sentences = Array.from({ length: 50 }, (_, i) => `This is sentence ${i}.`);
  const text = { name: 'short', sentences, between: ' ' };
  for (const number of numbers) {
    const of = perplexity(model, { length: 100, text }, number);
    const said = [...textOf([...of.context, ...of.answer]).matchAll(/sentence (\d+)\./g)].map(([, i]) => Number(i));
    expect(said).toEqual(said.toSorted((a, b) => a - b));
  }
  expect(() => repeatedPassage(model, { length: 300, text }, 0)).toThrow('the text "short" has 200 words, too few');
});

test('nothing is measured on the text in which nothing is hidden, and other texts are found by their names only', () => {
  expect(perplexity(model, { length: 100 }, 0).id).toContain('text=dracula');
  const name: string = 'ulysses';
  const unknown = { length: 600, haystack: name } as Parameters<typeof needle>[1];
  expect(() => needle(model, unknown, 0)).toThrow('there is no text "ulysses"');
});

test('a model of the engine makes the same cases as its tokenizer with its template', async () => {
  const loaded = await loadModel(undefined, { threads: 1 });
  expect(needle(loaded, { length: 600 }, 0)).toEqual(needle(model, { length: 600 }, 0));
  await loaded.close();
});
