/** The outputs of a service. */
export type OutputName = 'stdout' | 'stderr';

/** A line as a log keeps it; `text` ends with a line feed. */
export type LogLine = { readonly stream: OutputName; readonly timeMs: number; readonly text: string };

/**
 * Longest line that is kept in one piece, in bytes. With every character escaped in JSON it still fits the 64 KiB at which
 * one client gives up on a line.
 */
const longestPieceBytes = 8 * 1024;
const lineFeed = 0x0a;
const timeLength = '2026-01-01T00:00:00.000Z'.length;
const prefixBytes = timeLength + ' [stdout] '.length;
const empty = Buffer.alloc(0);

/**
 * Makes lines of an output, each with its time and the output's name before it. A line that has not ended waits for its
 * end, so lines of two outputs never mix; what is too long for one line becomes several.
 */
export class LineTagger {
  readonly #tag: string;
  #rest: Buffer = empty;

  constructor(stream: OutputName) {
    this.#tag = ` [${stream}] `;
  }

  /** Takes bytes, which may be overwritten afterwards, and returns the lines that are whole now. */
  push(bytes: Buffer, nowMs: number): Buffer {
    const text = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const ends = findEnds(text);
    const last = ends.at(-1) ?? 0;
    this.#rest = last === text.length ? empty : Buffer.from(text.subarray(last));
    return this.#tagAll(text, ends, nowMs);
  }

  /** Returns what waited for the end of its line as a line of its own. */
  flush(nowMs: number): Buffer {
    const rest = this.#rest;
    this.#rest = empty;
    return rest.length === 0 ? empty : this.#tagAll(rest, [rest.length], nowMs);
  }

  #tagAll(text: Buffer, ends: readonly number[], nowMs: number): Buffer {
    if (ends.length === 0) return empty;
    const prefix = Buffer.from(`${new Date(nowMs).toISOString()}${this.#tag}`);
    const lines = Buffer.allocUnsafe((ends.at(-1) ?? 0) + ends.length * (prefixBytes + 1));
    let at = 0;
    let start = 0;
    for (const end of ends) {
      at += prefix.copy(lines, at);
      at += text.copy(lines, at, start, end);
      if (text[end - 1] !== lineFeed) lines[at++] = lineFeed;
      start = end;
    }
    return lines.subarray(0, at);
  }
}

/** Where pieces end: behind each line feed, and within lines that are too long. */
function findEnds(text: Buffer): readonly number[] {
  const ends: number[] = [];
  let start = 0;
  while (start < text.length) {
    const feed = text.indexOf(lineFeed, start);
    const lineEnd = feed < 0 ? text.length : feed + 1;
    while (lineEnd - start > longestPieceBytes) {
      start = beforeCharacter(text, start + longestPieceBytes);
      ends.push(start);
    }
    if (feed < 0) break;
    if (lineEnd > start) ends.push(lineEnd);
    start = lineEnd;
  }
  return ends;
}

/** Moves back to where a character of UTF-8 begins, at most as far as one can be long. */
function beforeCharacter(text: Buffer, at: number): number {
  for (let back = 0; back < 4; back++) {
    if (((text[at - back] ?? 0) & 0xc0) !== 0x80) return at - back;
  }
  return at;
}

const linePattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) \[(stdout|stderr)\] /;

/** Reads lines that a log has kept. A sprite's root may have edited them: what has no tag counts as standard output. */
export function parseLines(bytes: Buffer, nowMs: number): readonly LogLine[] {
  const lines = bytes.toString('utf8').split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => {
    const match = linePattern.exec(line.slice(0, prefixBytes));
    if (match === null)
      return { stream: 'stdout', timeMs: nowMs, text: `${line.slice(0, longestPieceBytes)}\n` };
    const timeMs = Date.parse(match[1] ?? '');
    return {
      stream: match[2] === 'stderr' ? 'stderr' : 'stdout',
      timeMs: Number.isNaN(timeMs) ? nowMs : timeMs,
      text: `${line.slice(prefixBytes, prefixBytes + longestPieceBytes)}\n`,
    };
  });
}
