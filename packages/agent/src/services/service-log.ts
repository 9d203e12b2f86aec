import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type LogLine, parseLines } from './line-tagger.ts';

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
/** A file that has grown to this size is put aside as `.1`, and that one as `.2`. */
const largestFileBytes = 10 * 1024 * 1024;
const oldestSuffix = 2;
/** Output that waits to be written; beyond it the service waits. */
const mostWaitingBytes = 256 * 1024;
const readBytes = 64 * 1024;
/** The file is opened anew after this time: someone may have removed it. */
const reopenMs = 1000;
const lineFeed = 0x0a;

/** One file of a log: bytes `start` to `end` of everything the log was ever given. */
type Segment = { suffix: number; start: number; end: number };

/** A part of a log: from `start` to `end`. */
export type LogRange = { readonly start: number; readonly end: number };

/** Lines from a position on, and the position behind them. */
export type LogPart = { readonly lines: readonly LogLine[]; readonly next: number };

/**
 * What a service wrote, in a file that is rotated. Positions count all bytes; old ones are forgotten with their files.
 * Everything is done in turn, so what a reader is told fits the files. When the disk refuses lines they are dropped and
 * counted, and the service goes on.
 */
export class ServiceLog {
  readonly path: string;
  readonly #segments: Segment[] = [];
  readonly #listeners = new Set<() => void>();
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #writing = false;
  #onRoom: (() => void)[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #file: { readonly handle: FileHandle; readonly openedMs: number } | undefined;
  #lostBytes = 0;
  #idle: NodeJS.Timeout | undefined;

  private constructor(path: string) {
    this.path = path;
  }

  /** Opens the log of a service; what earlier machines wrote is in it. */
  static async open(path: string): Promise<ServiceLog> {
    const log = new ServiceLog(path);
    await log.#find();
    return log;
  }

  /** position behind the last line, also when that is not written yet */
  get end(): number {
    return this.written + this.#waitingBytes;
  }

  /** position behind the last line that can be read */
  get written(): number {
    return this.#segments.at(-1)?.end ?? 0;
  }

  /** how many bytes the disk has refused */
  get lostBytes(): number {
    return this.#lostBytes;
  }

  /** Adds lines. False = full for now, `onRoom` is called when there is room. */
  append(lines: Buffer, onRoom: () => void): boolean {
    if (lines.length > 0) {
      this.#waiting.push(lines);
      this.#waitingBytes += lines.length;
      if (!this.#writing) void this.#write();
    }
    if (this.#waitingBytes <= mostWaitingBytes) return true;
    this.#onRoom.push(onRoom);
    return false;
  }

  /** Calls `listener` whenever there is more to read, until the returned function is called. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Lines from `position` on, those before `limit`; where old ones are gone, from the oldest kept. */
  read(position: number, limit: number): Promise<LogPart> {
    return this.#inTurn(async () => {
      const from = Math.max(position, this.#segments[0]?.start ?? 0);
      const segment = this.#segments.find(({ end }) => from < end);
      if (segment === undefined || from >= limit) return { lines: [], next: from };
      const most = Math.min(readBytes, segment.end - from, limit - from);
      const bytes = await this.#readAt(segment, from, most);
      // the file is not what it was, so there is nothing to be had of it
      if (bytes.length === 0) return { lines: [], next: Math.min(segment.end, limit) };
      const whole = bytes.lastIndexOf(lineFeed) + 1 || bytes.length;
      return { lines: parseLines(bytes.subarray(0, whole), Date.now()), next: from + whole };
    });
  }

  /** Where the last `count` lines, 0 = all that are kept, begin and end. */
  findLast(count: number): Promise<LogRange> {
    return this.#inTurn(async () => ({ start: await this.#findStart(count), end: this.written }));
  }

  /** Lets go of the file when what waits is written. */
  close(): void {
    void this.#inTurn(() => this.#closeFile());
  }

  async #findStart(count: number): Promise<number> {
    const oldest = this.#segments[0]?.start ?? 0;
    let missing = count;
    for (let at = this.written; at > oldest && count > 0; ) {
      const segment = this.#segments.find((one) => at > one.start && at <= one.end);
      if (segment === undefined) break;
      const from = Math.max(segment.start, at - readBytes);
      const feeds = findFeeds(await this.#readAt(segment, from, at - from));
      // the last one ends the last line
      const before = feeds[feeds.length - 1 - missing];
      if (before !== undefined) return from + before + 1;
      missing -= feeds.length;
      at = from;
    }
    return oldest;
  }

  async #write(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.length === 1 ? this.#waiting[0] : Buffer.concat(this.#waiting);
      this.#waiting = [];
      if (batch !== undefined) await this.#inTurn(() => this.#writeBatch(batch));
      const ready = this.#onRoom;
      this.#onRoom = [];
      for (const onRoom of ready) onRoom();
      for (const listener of this.#listeners) listener();
    }
    this.#writing = false;
    this.#closeSoon();
  }

  async #writeBatch(batch: Buffer): Promise<void> {
    try {
      const handle = await this.#openFile();
      await handle.writeFile(batch);
      const segment = this.#segments.at(-1);
      if (segment !== undefined) segment.end += batch.length;
    } catch {
      // A full or broken disk must not stop the service; what is lost is counted and told to readers.
      this.#lostBytes += batch.length;
      await this.#cutTornLine();
      await this.#closeFile();
    }
    this.#waitingBytes -= batch.length;
  }

  /** A batch that fitted only in part would make the next line a part of its own last one. */
  async #cutTornLine(): Promise<void> {
    const segment = this.#segments.at(-1);
    if (segment === undefined) return;
    await this.#file?.handle.truncate(segment.end - segment.start).catch(() => undefined);
  }

  async #openFile(): Promise<FileHandle> {
    const segment = this.#segments.at(-1);
    if (segment !== undefined && segment.end - segment.start >= largestFileBytes) await this.#rotate();
    if (this.#file !== undefined && performance.now() - this.#file.openedMs < reopenMs)
      return this.#file.handle;
    await this.#closeFile();
    await mkdir(dirname(this.path), { recursive: true, mode: 0o755 });
    const handle = await open(this.path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0o644);
    this.#file = { handle, openedMs: performance.now() };
    const stats = await handle.stat();
    if (!stats.isFile()) throw new Error(`${this.path} is no file`);
    this.#adopt(stats.size);
    return handle;
  }

  /** Someone may have cut or replaced the file: what is in it now counts as its last bytes. */
  #adopt(sizeBytes: number): void {
    const last = this.#segments.at(-1);
    if (last === undefined || last.suffix !== 0) {
      const start = this.written;
      this.#segments.push({ suffix: 0, start, end: start + sizeBytes });
    } else if (last.end - last.start !== sizeBytes) {
      last.start = Math.max(this.#segments.at(-2)?.end ?? 0, last.end - sizeBytes);
    }
  }

  async #rotate(): Promise<void> {
    await this.#closeFile();
    for (let suffix = oldestSuffix - 1; suffix >= 0; suffix--) {
      await rename(this.#name(suffix), this.#name(suffix + 1)).catch(() => undefined);
    }
    for (const segment of this.#segments) segment.suffix++;
    while ((this.#segments[0]?.suffix ?? 0) > oldestSuffix) this.#segments.shift();
  }

  /** Finds the files of earlier machines. */
  async #find(): Promise<void> {
    for (let suffix = oldestSuffix; suffix >= 0; suffix--) {
      const size = await sizeOf(this.#name(suffix));
      const start = this.written;
      if (size > 0) this.#segments.push({ suffix, start, end: start + size });
    }
  }

  async #readAt({ suffix, start }: Segment, position: number, byteCount: number): Promise<Buffer> {
    try {
      await using file = await open(this.#name(suffix), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      const { buffer, bytesRead } = await file.read(
        Buffer.allocUnsafe(byteCount),
        0,
        byteCount,
        position - start,
      );
      return buffer.subarray(0, bytesRead);
    } catch {
      // Someone has removed or replaced the file; what was in it is gone.
      return Buffer.alloc(0);
    }
  }

  /** A file that nothing is written to is not kept open. */
  #closeSoon(): void {
    this.#idle ??= setTimeout(() => {
      this.#idle = undefined;
      this.close();
    }, reopenMs).unref();
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close().catch(() => undefined);
  }

  #name(suffix: number): string {
    return suffix === 0 ? this.path : `${this.path}.${suffix}`;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

function findFeeds(bytes: Buffer): readonly number[] {
  const feeds: number[] = [];
  for (let at = bytes.indexOf(lineFeed); at >= 0; at = bytes.indexOf(lineFeed, at + 1)) feeds.push(at);
  return feeds;
}

async function sizeOf(path: string): Promise<number> {
  try {
    const stats = await lstat(path);
    return stats.isFile() ? stats.size : 0;
  } catch {
    // there is no such file
    return 0;
  }
}
