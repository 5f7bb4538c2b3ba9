import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { renderChat } from './chat-template.ts';
import { GEMMA3, hasGemma3, hasSmolLm2, readModel, SMOLLM2 } from './test-vocabularies.ts';

interface GoldenCase {
  readonly text: string;
  /** Special tokens as text. */
  readonly ids: readonly number[];
  /** Special tokens parsed. */
  readonly special: readonly number[];
}

function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../golden/${name}`, import.meta.url), 'utf8'));
}

const models = [
  { name: 'SmolLM2', present: hasSmolLm2, path: SMOLLM2, file: 'smollm2-tokens.json' },
  { name: 'Gemma 3 (LOCI_GEMMA3)', present: hasGemma3, path: GEMMA3, file: 'gemma3-270m-tokens.json' },
];

for (const { name, present, path, file } of models) {
  describe.skipIf(!present)(name, () => {
    const model = present ? readModel(path) : undefined;
    const { cases } = golden<{ cases: readonly GoldenCase[] }>(file);

    test('has 50 cases', () => {
      expect(cases).toHaveLength(50);
    });

    test.each(cases)(
      '$text has the ids of llama.cpp, as text and with special tokens parsed',
      async ({ text, ids, special }) => {
        const tokenizer = (await model)?.tokenizer;
        expect(Array.from(tokenizer?.encode(text, { special: 'text' }) ?? [])).toEqual(ids);
        expect(Array.from(tokenizer?.encode(text, { special: 'parse' }) ?? [])).toEqual(special);
      },
    );

    test.each(cases)('$text comes back from its ids', async ({ text, ids, special }) => {
      const tokenizer = (await model)?.tokenizer;
      expect(tokenizer?.decode(ids)).toBe(text.toWellFormed());
      expect(tokenizer?.decode(special)).toBe(text.toWellFormed());
    });
  });
}

describe.skipIf(!hasSmolLm2)('SmolLM2', () => {
  test('the roles of its tokens are those of its metadata', async () => {
    const { tokenizer } = await readModel(SMOLLM2);
    expect(tokenizer.vocabularySize).toBe(49152);
    expect(tokenizer.special).toMatchObject({ bos: 1, eos: 2, eot: 2, unk: 0, pad: 2 });
    expect(tokenizer.addBos).toBe(false);
    expect(tokenizer.endOfGeneration).toContain(2);
    expect(tokenizer.endOfGeneration).toContain(0);
    expect(tokenizer.isSpecial(1)).toBe(true);
    expect(tokenizer.isSpecial(1000)).toBe(false);
    expect(Array.from(tokenizer.bytes(2))).toEqual(Array.from(new TextEncoder().encode('<|im_end|>')));
  });

  test('its chat template gives the ids that transformers gives', async () => {
    const { metadata, tokenizer } = await readModel(SMOLLM2);
    const { message, ids } = golden<{ message: string; ids: readonly number[] }>('smollm2-chat.json');
    const text = renderChat(String(metadata.get('tokenizer.chat_template')), {
      messages: [{ role: 'user', content: message }],
      addGenerationPrompt: true,
    });
    expect(Array.from(tokenizer.encode(text, { special: 'parse' }))).toEqual(ids);
  });
});

describe.skipIf(!hasGemma3)('Gemma 3 (LOCI_GEMMA3)', () => {
  test('the roles of its tokens are those of its metadata', async () => {
    const { tokenizer } = await readModel(GEMMA3);
    expect(tokenizer.vocabularySize).toBe(262144);
    expect(tokenizer.special).toMatchObject({ bos: 2, eos: 1, eot: 106, unk: 3, pad: 0 });
    expect(tokenizer.addBos).toBe(true);
    expect(Array.from(tokenizer.endOfGeneration).sort((a, b) => a - b)).toEqual([1, 106]);
  });
});
