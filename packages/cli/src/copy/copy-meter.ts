import type { Cli } from '../cli.ts';
import { type Progress, startProgress } from '../terminal/progress.ts';
import { formatSize } from '../transfer/transfer-meter.ts';

const barWidth = 20;

/** Shows how much of a copy is done, of how much. */
export class CopyMeter implements Progress {
  readonly #progress: Progress;
  readonly #startedAt = performance.now();
  #label = '';
  #bytes = 0;
  #resumed = 0;
  #total = 0;

  constructor(cli: Cli) {
    this.#progress = startProgress(cli, () => this.#text());
  }

  /** Begins with the next thing to copy, of so many bytes altogether. */
  begin(label: string, totalBytes: number): void {
    this.#label = label;
    this.#total += totalBytes;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Bytes that were there already, from an attempt before. */
  skip(bytes: number): void {
    this.#bytes += bytes;
    this.#resumed += bytes;
  }

  /** What was counted since then did not stay. */
  takeBack(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** Passes bytes on and counts them. */
  async *count(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      yield chunk;
      this.#bytes += chunk.length;
    }
  }

  stop(): void {
    this.#progress.stop();
  }

  #text(): string {
    const share = this.#total === 0 ? 0 : Math.min(1, this.#bytes / this.#total);
    const done = Math.round(share * barWidth);
    const bar = `${'█'.repeat(done)}${'░'.repeat(barWidth - done)}`;
    const seconds = Math.max(0.001, (performance.now() - this.#startedAt) / 1000);
    const rate = formatSize((this.#bytes - this.#resumed) / seconds);
    return `${bar} ${Math.floor(share * 100)}%  ${formatSize(this.#bytes)} of ${formatSize(this.#total)}  ${rate}/s  ${this.#label}`;
  }
}
