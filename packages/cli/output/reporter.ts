import { StatusLine } from './status-line.ts';

export interface ReporterOptions {
  readonly json: boolean;
  readonly quiet: boolean;
}

/** Where a command writes: results to stdout, everything about them to stderr. */
export class Reporter {
  readonly json: boolean;
  readonly #quiet: boolean;
  readonly #status = new StatusLine(process.stderr);
  #done = '';
  /** Whether the last text on stdout has not ended its line. */
  #open = false;

  constructor({ json, quiet }: ReporterOptions) {
    this.json = json;
    this.#quiet = quiet;
  }

  /** What was done so far of the work under way, as words behind "stopped". */
  get done(): string {
    return this.#done;
  }

  /** Whether tables about the run have a reader. */
  get hasTerminal(): boolean {
    return process.stderr.isTTY && !this.#quiet && !this.json;
  }

  /** Starts a piece of work. Its progress is shown once it takes longer than `delayMs`. */
  begin(done: string, delayMs: number): void {
    this.#done = done;
    this.#status.begin(delayMs);
  }

  progress(line: string, done: string): void {
    this.#done = done;
    if (!this.#quiet) this.#status.show(line);
  }

  /** Ends the status line, so that other text can follow. */
  end(): void {
    this.#status.clear();
  }

  /** A piece of the result, written at once. */
  text(piece: string): void {
    if (piece === '' || this.json) return;
    this.end();
    process.stdout.write(process.stdout.isTTY ? visible(piece) : piece);
    this.#open = !piece.endsWith('\n');
  }

  /** Ends the line of the result if it is open. */
  endText(): void {
    if (this.#open) process.stdout.write('\n');
    this.#open = false;
  }

  /** The result as a document, under `--json` only. */
  document(value: object): void {
    this.end();
    if (this.json) process.stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** A remark about the result. */
  note(line: string): void {
    if (this.#quiet || this.json) return;
    this.error(line);
  }

  error(line: string): void {
    this.end();
    this.endText();
    process.stderr.write(`${line}\n`);
  }
}

/** Without the characters that a terminal would obey: what a model writes comes from its prompt, and so from strangers. */
function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '\ufffd');
}
