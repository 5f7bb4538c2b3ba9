import { createInterface } from 'node:readline';
import { LociError } from 'loci';
import { isCommand } from './room.ts';

/** Where messages come from, one after the other; undefined is the end. */
export interface Messages {
  next(): Promise<string | undefined>;
  close(): void;
}

const historyLength = 100;

/** Messages typed at a prompt. Each prompt opens the terminal anew, so that between prompts a Ctrl-C is a signal. */
export function typedMessages(prompt: string): Messages {
  let history: string[] = [];
  /** Messages that came with others. */
  let waiting: string[] = [];
  /** The beginning of a line that came with others. */
  let rest = '';
  const read = () =>
    new Promise<readonly string[]>((resolve, reject) => {
      const terminal = createInterface({ input: process.stdin, output: process.stdout, prompt, history });
      const lines: string[] = [];
      const take = () => {
        history = [...lines].reverse().concat(history).slice(0, historyLength);
        rest = terminal.line;
        resolve(messagesOf(lines));
        terminal.close();
      };
      terminal.on('line', (line) => {
        if (lines.push(line) === 1) setImmediate(take);
      });
      terminal.on('SIGINT', () => {
        reject(new LociError('aborted', 'left the chat'));
        terminal.close();
      });
      terminal.on('close', () => {
        if (lines.length === 0) process.stdout.write('\n');
        resolve([]);
      });
      terminal.prompt();
      terminal.write(rest);
    });
  return {
    async next() {
      if (waiting.length === 0) waiting = [...(await read())];
      return waiting.shift();
    },
    close: () => {},
  };
}

/** Lines that arrive at once were pasted and are one message, unless there are commands among them. */
function messagesOf(lines: readonly string[]): readonly string[] {
  return lines.some(isCommand) ? lines : [lines.join('\n')];
}

/** Messages from a file or a program: every line is one. */
export function pipedMessages(signal: AbortSignal): Messages {
  const input = createInterface({ input: process.stdin, terminal: false });
  const lines = input[Symbol.asyncIterator]();
  // The iterator alone would go on waiting for a line that may never come.
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new LociError('aborted', 'left the chat')));
  });
  aborted.catch(() => {});
  return {
    async next() {
      const line = await Promise.race([lines.next(), aborted]);
      return line.done ? undefined : line.value;
    },
    close() {
      input.close();
      process.stdin.destroy();
    },
  };
}
