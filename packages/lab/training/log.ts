import { appendFile, readFile, rename, writeFile } from 'node:fs/promises';

/** A line of the log: a step, or an evaluation behind it. */
export interface LogRow {
  /** Steps that are done. */
  readonly step: number;
  readonly loss: number;
  readonly rate: number;
  /** Length of the gradient before it was cut. */
  readonly gradient: number;
  /** On the validation split, where it was asked for. */
  readonly accuracy?: number;
}

export interface Accuracy {
  readonly step: number;
  readonly accuracy: number;
}

const head = 'step,loss,rate,gradient,accuracy';

/** The course of training as a CSV file. What training repeats after a kill is written once. */
export class TrainingLog {
  readonly #path: string;
  readonly #accuracies: Accuracy[];
  #waiting: string[] = [];

  private constructor(path: string, accuracies: Accuracy[]) {
    this.#path = path;
    this.#accuracies = accuracies;
  }

  /** All evaluations so far, those before a stop included. */
  get accuracies(): readonly Accuracy[] {
    return this.#accuracies;
  }

  /** Opens the log for what follows on `step`: later rows are those of a run that was killed, and go. */
  static async open(path: string, step: number): Promise<TrainingLog> {
    const old = step === 0 ? '' : await readFile(path, 'utf8').catch(() => '');
    const kept = old.split('\n').filter((line) => Number.parseInt(line, 10) <= step);
    await writeFile(`${path}.part`, [head, ...kept, ''].join('\n'));
    await rename(`${path}.part`, path);
    const accuracies = kept.flatMap((line) => {
      const [at = '', , , , accuracy = ''] = line.split(',');
      return accuracy === '' ? [] : [{ step: Number(at), accuracy: Number(accuracy) }];
    });
    return new TrainingLog(path, accuracies);
  }

  add({ step, loss, rate, gradient, accuracy }: LogRow): void {
    if (accuracy !== undefined) this.#accuracies.push({ step, accuracy });
    this.#waiting.push([step, loss, rate, gradient, accuracy ?? ''].join());
  }

  async flush(): Promise<void> {
    const lines = this.#waiting.splice(0);
    if (lines.length > 0) await appendFile(this.#path, `${lines.join('\n')}\n`);
  }
}
