import { createInterface } from 'node:readline';
import { LociError } from 'loci';

/** Where messages come from, one after the other; undefined is the end. */
export interface Messages {
  next(): Promise<string | undefined>;
  close(): void;
}

/**
 * Messages typed at a prompt. Lines pasted together are one message. Each prompt opens the terminal anew, so that a
 * Ctrl-C between prompts is a signal and not a key.
 */
export function typedMessages(prompt: string): Messages {
  let history: string[] = [];
  let rest = '';
  return {
    next: () =>
      new Promise((resolve, reject) => {
        const terminal = createInterface({ input: process.stdin, output: process.stdout, prompt, history });
        const lines: string[] = [];
        const take = () => {
          history = [...lines].reverse().concat(history).slice(0, 100);
          rest = terminal.line;
          terminal.close();
          resolve(lines.join('\n'));
        };
        terminal.on('line', (line) => {
          if (lines.push(line) === 1) setImmediate(take);
        });
        terminal.on('close', () => {
          if (lines.length === 0) resolve(undefined);
        });
        terminal.on('SIGINT', () => {
          reject(new LociError('aborted', 'the chat was left'));
          terminal.close();
        });
        terminal.prompt();
        if (rest !== '') terminal.write(rest);
      }),
    close: () => {},
  };
}

/** Messages from a file or a program: every line is one. */
export function pipedMessages(signal: AbortSignal): Messages {
  const input = createInterface({ input: process.stdin, terminal: false });
  const lines = input[Symbol.asyncIterator]();
  // The iterator would wait for a line that may never come.
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new LociError('aborted', 'the chat was left')));
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
