import { fc, test } from '@fast-check/vitest';
import { expect } from 'vitest';
import { StringTable } from '../format/string-table.ts';
import { Vocabulary } from './vocabulary.ts';

const someText = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '▁', '🦊', '\0'), maxLength: 4 });

test.prop([fc.uniqueArray(someText, { minLength: 1, maxLength: 60 }), fc.array(fc.boolean()), fc.array(someText)])(
  'finds the tokens that a Map finds, by text, and by the ids of two parts',
  (texts, gaps, others) => {
    const kinds = texts.map((_, id) => (gaps[id] === true ? undefined : 'normal'));
    const vocabulary = new Vocabulary(StringTable.of(texts), kinds, 'some.gguf');
    const ids = new Map(texts.map((text, id) => [text, id] as const).filter(([, id]) => kinds[id] !== undefined));
    const idOf = (text: string) => ids.get(text) ?? -1;
    expect(vocabulary.size).toBe(texts.length);
    for (const [id, text] of texts.entries()) expect(vocabulary.text(id)).toBe(kinds[id] === undefined ? '' : text);
    for (const text of [...texts, ...others, 'ab'.repeat(40)]) expect(vocabulary.id(text)).toBe(idOf(text));
    for (const [left, a] of ids) {
      for (const [right, b] of ids) expect(vocabulary.idOfPair(a, b)).toBe(idOf(left + right));
    }
  },
);
