import { loadTokenizer } from 'loci';
import { command } from '../command.ts';
import { locating } from '../engine.ts';
import { readText } from '../input/text-file.ts';
import { flag } from '../options/option.ts';
import { sourceOptions } from '../options/shared.ts';
import { counted } from '../output/format.ts';

export const tokenize = command({
  name: 'tokenize',
  summary: 'Turn a text into token ids.',
  usage: ['FILE', '-'],
  positionals: [{ name: 'FILE', help: 'a UTF-8 text file, or - for stdin' }],
  options: { special: flag('Read texts such as <|im_end|> as the tokens they name'), ...sourceOptions },
  async run({ options, positionals: [file = ''] }, context) {
    const text = await readText(file);
    const { reporter } = context;
    const tokenizer = await loadTokenizer(options.model, locating(options, context));
    reporter.begin('', 0);
    const ids = Array.from(tokenizer.encode(text, { special: options.special ? 'parse' : 'text' }));
    reporter.document({ ids });
    reporter.text(`${ids.join(' ')}\n`);
    reporter.note(counted(ids.length, 'token'));
  },
});
