/**
 * How fast a long text is read with EM-LLM, and in how much memory, every 5,000 tokens.
 *
 *   node packages/papers/em-llm/book/speed.ts BOOK TOKENS [options of em-llm] [threads] [OUT.json]
 *
 * Texts that are shorter begin again. The processor's time stands beside the clock's, since others may use the machine.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { loadModel } from 'loci';
import { parseMethod } from '../../registry.ts';
import { memoryOf } from '../memory.ts';

const [book, tokens, options = '', threads = '2', out] = process.argv.slice(2);
if (!book || !tokens) throw new Error('usage: speed.ts BOOK TOKENS [options] [threads] [OUT.json]');

interface Row {
  readonly tokens: number;
  readonly tokensPerSecond: number;
  /** Of all threads. */
  readonly cpuMsPerToken: number;
  readonly residentMb: number;
  readonly memoryMb: number;
  readonly vectorMb: number;
  readonly fileMb: number;
  readonly events: number;
  /** Blocks that came back from the file, since the row before. */
  readonly fetched: number;
}

const every = 5_000;
const mb = (bytes: number) => Math.round(bytes / 1e5) / 10;

const model = await loadModel(undefined, { threads: Number(threads) });
const once = model.tokenizer.encode(readFileSync(book, 'utf8'), { special: 'text' });
const ids = Int32Array.from({ length: Number(tokens) }, (_, i) => once[i % once.length] ?? 0);
const session = await model.open({ remember: parseMethod.remember(options ? `em-llm:${options}` : 'em-llm') });
const rows: Row[] = [];
let [doneBefore, fetchedBefore, at, cpu] = [0, 0, performance.now(), process.cpuUsage()];
await session.prefill(
  { ids },
  {
    onProgress: ({ doneTokens }) => {
      if (doneTokens - doneBefore < every && doneTokens !== ids.length) return;
      const [now, used] = [performance.now(), process.cpuUsage(cpu)];
      const read = doneTokens - doneBefore;
      const { memoryBytes, vectorBytes, fileBytes, fetched, events } = memoryOf(session);
      const row: Row = {
        tokens: doneTokens,
        tokensPerSecond: Math.round((read / (now - at)) * 10_000) / 10,
        cpuMsPerToken: Math.round((used.user + used.system) / read / 10) / 100,
        residentMb: mb(process.memoryUsage().rss),
        memoryMb: mb(memoryBytes),
        vectorMb: mb(vectorBytes),
        fileMb: mb(fileBytes),
        events: events.length,
        fetched: fetched - fetchedBefore,
      };
      rows.push(row);
      console.log(JSON.stringify(row));
      [doneBefore, fetchedBefore, at, cpu] = [doneTokens, fetched, performance.now(), process.cpuUsage()];
    },
  },
);
session.close();
await model.close();
if (out)
  writeFileSync(out, `${JSON.stringify({ model: model.name, threads: model.threads, options, rows }, undefined, 2)}\n`);
