/** How far the download of one file is. */
export interface DownloadProgress {
  /** The file's name, as the hub or the caller calls it. */
  readonly file: string;
  /** Bytes that lie on disk, those of earlier runs included. */
  readonly receivedBytes: number;
  readonly totalBytes: number;
  /** Mean of about the last three seconds; 0 when nothing has arrived yet. */
  readonly bytesPerSecond: number;
}

export type OnProgress = (progress: DownloadProgress) => void;

const intervalMs = 100;
const windowMs = 3_000;

/** Thins progress out to ten events a second and works out the speed. */
export class ProgressMeter {
  readonly #file: string;
  readonly #onProgress: OnProgress | undefined;
  #samples: { readonly at: number; readonly bytes: number }[] = [];

  constructor(file: string, onProgress: OnProgress | undefined) {
    this.#file = file;
    this.#onProgress = onProgress;
  }

  /** `now` passes the event on however recent the last one is: for the first and the last event of a file. */
  report(receivedBytes: number, totalBytes: number, now = false): void {
    if (this.#onProgress === undefined) return;
    const at = performance.now();
    const last = this.#samples.at(-1);
    if (!now && last && at - last.at < intervalMs) return;
    // Bytes become fewer when a transfer starts over; a speed across that is meaningless.
    if (last && receivedBytes < last.bytes) this.#samples = [];
    this.#samples.push({ at, bytes: receivedBytes });
    while (this.#samples.length > 2 && at - (this.#samples[1]?.at ?? at) > windowMs) this.#samples.shift();
    const first = this.#samples[0];
    const seconds = first ? (at - first.at) / 1000 : 0;
    const bytesPerSecond = first && seconds > 0 ? (receivedBytes - first.bytes) / seconds : 0;
    this.#onProgress({ file: this.#file, receivedBytes, totalBytes, bytesPerSecond });
  }
}
