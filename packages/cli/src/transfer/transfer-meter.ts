import type { Cli } from '../cli.ts';
import { type Progress, startProgress } from '../terminal/progress.ts';

const units = ['B', 'kB', 'MB', 'GB', 'TB'];
const shortestMs = 1;

/** Counts the bytes of a transfer and shows them with their rate while it goes on. */
export class TransferMeter implements Progress {
  readonly #progress: Progress;
  readonly #startedAt = performance.now();
  #bytes = 0;

  constructor(cli: Cli, what: string) {
    this.#progress = startProgress(cli, () => `${what} … ${this.summary()}`);
  }

  /** How much went through until now, and how fast. */
  summary(): string {
    const elapsedMs = Math.max(shortestMs, performance.now() - this.#startedAt);
    return `${formatSize(this.#bytes)}, ${formatSize((this.#bytes * 1000) / elapsedMs)}/s`;
  }

  /** Passes bytes on and counts them. */
  async *count(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      this.#bytes += chunk.length;
      yield chunk;
    }
  }

  stop(): void {
    this.#progress.stop();
  }
}

/** A size for people, e.g. `1.5 MB`. */
export function formatSize(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}
