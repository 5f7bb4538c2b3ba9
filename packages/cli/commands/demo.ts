import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { command } from '../command.ts';
import { usage } from '../options/option.ts';
import { askAbout, askOptions } from './ask.ts';

const text = fileURLToPath(new URL('../demo/text.txt', import.meta.url));
/** What the demo shows beside dense attention over a cache of halves. */
const others = [
  'keep=snapkv:budget=1024',
  'keep=razor-attention',
  'store=kv4',
  'keep=snapkv:budget=1024,store=kv4',
  'attend=hip:sparse=prefill',
  'remember=em-llm',
];
const questionFile = new URL('../demo/question.txt', import.meta.url);

export const demo = command({
  name: 'demo',
  summary: 'Show what ask does, on a text that comes along.',
  usage: ['', 'FILE "question"'],
  positionals: [
    { name: 'FILE', help: 'a text of your own, as with ask', optional: true },
    { name: 'QUESTION', help: 'what to find out about it, in quotes', optional: true },
  ],
  options: askOptions,
  async run({ options, positionals: [file, question] }, context) {
    if (file !== undefined) {
      if (question === undefined) throw usage(`QUESTION is missing: what to find out about ${file}, in quotes`);
      return askAbout(file, question, options, context);
    }
    const asked = (await readFile(questionFile, 'utf8')).trim();
    const [title = ''] = (await readFile(text, 'utf8')).split('\n');
    context.reporter.note(`Text:      ${title.trim()}\nQuestion:  ${asked}\n`);
    return askAbout(text, asked, options, context, others);
  },
});
