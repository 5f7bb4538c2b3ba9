// Reads a text once and answers two questions about it: the second one reuses what was read.
//   node examples/ask.ts FILE
import { readFileSync } from 'node:fs';
import { loadModel } from 'loci';

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: node examples/ask.ts FILE');
const text = readFileSync(file, 'utf8');

const model = await loadModel();
const session = await model.open();
for (const question of ['Who is speaking in this text?', 'Where does it take place?']) {
  const prompt = { messages: [{ role: 'user', content: `${text}\n\n${question}` }] };
  const answer = session.generate(prompt, { maxTokens: 60 });
  let next = await answer.next();
  while (!next.done) {
    process.stdout.write(next.value.text);
    next = await answer.next();
  }
  const { promptTokens, reusedTokens, prefillMs } = next.value;
  console.log(`\n  (${promptTokens} tokens, ${reusedTokens} of them known, read in ${Math.round(prefillMs)} ms)`);
}
await model.close();
