import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type OutputStreamId, streamIds } from '@sprites/contract/exec';

/** Output up to this size stays in memory; most commands never touch the disk. */
const memoryBytes = 64 * 1024;
/** What is kept in memory when the disk refuses output. */
const fallbackBytes = 1024 * 1024;
/** Changes between stdout and stderr that are remembered; older output is dropped beyond it. */
const largestSegmentCount = 32 * 1024;

let fileCount = 0;

/** A piece of output of one stream. */
export type LogPiece = { readonly stream: OutputStreamId; readonly length: number };

/**
 * The last bytes a session wrote, kept for clients that attach later: in memory while they are few, then in
 * an unlinked file used as a ring. Positions count all output bytes of the session, both streams together.
 * When the disk refuses a write, what was kept is dropped (`start` moves, which readers see as a gap) and
 * output is kept in memory from there.
 */
export class OutputLog {
  readonly #directory: string;
  readonly #capacityBytes: number;
  #ring: Ring = createMemoryRing(1024);
  #start = 0;
  #end = 0;
  #segments: { readonly from: number; readonly stream: OutputStreamId }[] = [];

  constructor(options: { readonly directory: string; readonly capacityBytes: number }) {
    this.#directory = options.directory;
    this.#capacityBytes = options.capacityBytes;
  }

  /** position of the oldest byte kept */
  get start(): number {
    return this.#start;
  }

  /** position after the newest byte */
  get end(): number {
    return this.#end;
  }

  /** Adds `bytes`, at most 64 KiB, as output of `stream`. */
  append(stream: OutputStreamId, bytes: Uint8Array): void {
    if (this.#segments.at(-1)?.stream !== stream) this.#segments.push({ from: this.#end, stream });
    this.#makeRoom(bytes.length);
    try {
      this.#ring.write(bytes, this.#end);
    } catch {
      // A full or broken disk must not stop the command or its live output.
      this.#replaceRing(createMemoryRing(Math.min(fallbackBytes, this.#capacityBytes)));
      this.#ring.write(bytes, this.#end);
    }
    this.#end += bytes.length;
    this.#start = Math.max(this.#start, this.#end - this.#ring.sizeBytes);
    this.#dropSegments();
  }

  /** Copies output from `position` on into `target`, of one stream and no more than fits; undefined at the end. */
  read(position: number, target: Uint8Array): LogPiece | undefined {
    if (position < this.#start || position >= this.#end) return undefined;
    const index = this.#findSegment(position);
    const segmentEnd = this.#segments[index + 1]?.from ?? this.#end;
    const length = Math.min(target.length, segmentEnd - position);
    this.#ring.read(target.subarray(0, length), position);
    return { stream: this.#segments[index]?.stream ?? streamIds.stdout, length };
  }

  close(): void {
    this.#ring.close();
  }

  #makeRoom(byteCount: number): void {
    const needed = this.#end + byteCount;
    if (needed <= this.#ring.sizeBytes || this.#ring.sizeBytes > memoryBytes) return;
    if (needed <= memoryBytes) {
      this.#moveTo(createMemoryRing(Math.min(memoryBytes, needed * 2)));
      return;
    }
    try {
      this.#moveTo(openFileRing(this.#directory, this.#capacityBytes));
    } catch {
      this.#moveTo(createMemoryRing(Math.min(fallbackBytes, this.#capacityBytes)));
    }
  }

  #moveTo(ring: Ring): void {
    const kept = new Uint8Array(this.#end - this.#start);
    this.#ring.read(kept, this.#start);
    try {
      ring.write(kept, this.#start);
    } catch (error) {
      ring.close();
      throw error;
    }
    this.#ring.close();
    this.#ring = ring;
  }

  #replaceRing(ring: Ring): void {
    this.#ring.close();
    this.#ring = ring;
    this.#start = this.#end;
  }

  #dropSegments(): void {
    if (this.#segments.length > largestSegmentCount) {
      this.#segments.splice(0, largestSegmentCount / 2);
      this.#start = Math.max(this.#start, this.#segments[0]?.from ?? 0);
    }
    // Moving a long list for each dropped segment would cost more than keeping a few.
    if ((this.#segments[64]?.from ?? Number.POSITIVE_INFINITY) > this.#start) return;
    this.#segments.splice(0, this.#findSegment(this.#start));
  }

  /** Index of the segment that holds `position`, by halving. */
  #findSegment(position: number): number {
    let low = 0;
    let high = this.#segments.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#segments[middle]?.from ?? 0) <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** A circular store: the byte at position p lies at p modulo its size. */
type Ring = {
  readonly sizeBytes: number;
  write(bytes: Uint8Array, position: number): void;
  read(target: Uint8Array, position: number): void;
  close(): void;
};

function createMemoryRing(sizeBytes: number): Ring {
  const memory = new Uint8Array(sizeBytes);
  return {
    sizeBytes,
    write(bytes, position) {
      eachSpan(sizeBytes, position, bytes.length, (at, from, to) => memory.set(bytes.subarray(from, to), at));
    },
    read(target, position) {
      eachSpan(sizeBytes, position, target.length, (at, from, to) =>
        target.set(memory.subarray(at, at + to - from), from),
      );
    },
    close() {},
  };
}

function openFileRing(directory: string, sizeBytes: number): Ring {
  const path = join(directory, `${process.pid}-${fileCount++}`);
  const fd = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return {
    sizeBytes,
    write(bytes, position) {
      eachSpan(sizeBytes, position, bytes.length, (at, from, to) =>
        writeAll(fd, bytes.subarray(from, to), at),
      );
    },
    read(target, position) {
      eachSpan(sizeBytes, position, target.length, (at, from, to) => {
        readSync(fd, target, from, to - from, at);
      });
    },
    close() {
      closeSync(fd);
    },
  };
}

function writeAll(fd: number, bytes: Uint8Array, at: number): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done, at + done);
}

/** Splits a range of positions where it wraps around the end of the ring. */
function eachSpan(
  sizeBytes: number,
  position: number,
  length: number,
  visit: (at: number, from: number, to: number) => void,
): void {
  let done = 0;
  while (done < length) {
    const at = (position + done) % sizeBytes;
    const count = Math.min(length - done, sizeBytes - at);
    visit(at, done, done + count);
    done += count;
  }
}
