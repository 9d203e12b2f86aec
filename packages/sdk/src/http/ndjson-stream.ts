import type { z } from 'zod';
import { ConnectionError } from '../errors.ts';

/** Longest line in characters; more is a broken peer, not data. */
const maxLineLength = 1_048_576;

/**
 * The lines of an open NDJSON answer, as values. Read it with `for await`, `next()` or `processAll()`; leaving
 * the loop or `close()` ends the request. Lines of an unknown shape are skipped: a newer server may have more.
 */
export class NDJSONStream<Line extends z.ZodType, T> implements AsyncIterable<T> {
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #line: Line;
  readonly #map: (line: z.output<Line>) => T;
  #rest = '';
  #done = false;

  constructor(response: Response, line: Line, map: (line: z.output<Line>) => T) {
    if (response.body === null) throw new ConnectionError('protocol', 'the answer has no body');
    this.#reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    this.#line = line;
    this.#map = map;
  }

  /** The next value, or null at the end. */
  async next(): Promise<T | null> {
    for (;;) {
      const text = this.#takeLine();
      if (text === undefined) {
        if (this.#done) return null;
        await this.#fill();
        continue;
      }
      const value = this.#parse(text);
      if (value !== undefined) return value;
    }
  }

  async processAll(handler: (event: T) => void | Promise<void>): Promise<void> {
    for await (const event of this) await handler(event);
  }

  /** Ends the request; what was not read is lost. */
  close(): void {
    this.#done = true;
    this.#rest = '';
    // the stream may have failed already, and nobody is left to hear of it
    this.#reader.cancel().catch(() => undefined);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    try {
      for (let value = await this.next(); value !== null; value = await this.next()) yield value;
    } finally {
      this.close();
    }
  }

  #takeLine(): string | undefined {
    const end = this.#rest.indexOf('\n');
    if (end < 0 && !(this.#done && this.#rest !== '')) return undefined;
    const line = end < 0 ? this.#rest : this.#rest.slice(0, end);
    this.#rest = end < 0 ? '' : this.#rest.slice(end + 1);
    return line;
  }

  async #fill(): Promise<void> {
    const { value, done } = await this.#reader.read();
    if (done) this.#done = true;
    else this.#rest += value;
    if (this.#rest.length > maxLineLength && !this.#rest.includes('\n')) {
      this.close();
      throw new ConnectionError('protocol', `a line is longer than ${maxLineLength} characters`);
    }
  }

  #parse(text: string): T | undefined {
    if (text.trim() === '') return undefined;
    try {
      const parsed = this.#line.safeParse(JSON.parse(text));
      return parsed.success ? this.#map(parsed.data) : undefined;
    } catch (cause) {
      throw new ConnectionError('protocol', `not a line of JSON: ${text.slice(0, 80)}`, { cause });
    }
  }
}
