import type { OutputStreamId } from '@sprites/contract/exec';
import type { OutputLog } from './output-log.ts';
import { chunkBytes, headroomBytes } from './output-reader.ts';

/** Someone connected to a session. Its methods must not throw. */
export interface SessionClient {
  /**
   * Takes output: bytes `start` to `end` of `buffer`; the 16 bytes before may be overwritten. False = not yet
   * sent: the buffer must stay as it is, and no more comes before `sent` is called for this client.
   */
  output(stream: OutputStreamId, buffer: Buffer, start: number, end: number): boolean;
  /** All output was given, and the command has ended. */
  finished(exitCode: number): void;
}

type Replay = { position: number; readonly buffer: Buffer };

/**
 * The clients of one session. Output goes to the log and to every client; the slowest sets the pace. A client
 * that joins with a position gets the log first, and live output waits for it.
 */
export class Audience {
  readonly #log: OutputLog;
  readonly #onReady: () => void;
  readonly #live = new Set<SessionClient>();
  readonly #replays = new Map<SessionClient, Replay>();
  readonly #busy = new Set<SessionClient>();
  #exitCode: number | undefined;

  /** `onReady` is called when output can be given again after `give` said no. */
  constructor(log: OutputLog, onReady: () => void) {
    this.#log = log;
    this.#onReady = onReady;
  }

  /** how many clients are connected */
  get size(): number {
    return this.#live.size + this.#replays.size;
  }

  /** whether some client must send what it has before it takes more */
  get busy(): boolean {
    return this.#busy.size > 0;
  }

  /** Gives out a chunk; false = wait for `onReady` and leave the buffer alone. */
  give(stream: OutputStreamId, buffer: Buffer, start: number, end: number): boolean {
    this.#log.append(stream, buffer.subarray(start, end));
    for (const client of this.#live) {
      if (!client.output(stream, buffer, start, end)) this.#busy.add(client);
    }
    return !this.busy;
  }

  /** Connects a client to what comes from now on. */
  join(client: SessionClient): void {
    this.#live.add(client);
  }

  /** Connects a client to the log from `position`, which must be in it, and then to what comes. */
  joinAt(client: SessionClient, position: number): void {
    this.#replays.set(client, { position, buffer: Buffer.allocUnsafeSlow(headroomBytes + chunkBytes) });
    this.#busy.add(client);
    this.#replay(client);
  }

  /** Hears that a client which said no has sent its output. */
  sent(client: SessionClient): void {
    if (this.#replays.has(client)) this.#replay(client);
    else this.#free(client);
  }

  /** Disconnects a client; false when it was not connected. */
  leave(client: SessionClient): boolean {
    const known = this.#live.delete(client);
    const replaying = this.#replays.delete(client);
    this.#free(client);
    return known || replaying;
  }

  /** Tells every client that the command has ended; those that still get the log hear it afterwards. */
  finish(exitCode: number): void {
    this.#exitCode = exitCode;
    const clients = [...this.#live];
    this.#live.clear();
    for (const client of clients) client.finished(exitCode);
    if (this.#replays.size === 0) this.#log.close();
  }

  #replay(client: SessionClient): void {
    const replay = this.#replays.get(client);
    if (replay === undefined) return;
    for (;;) {
      const piece = this.#log.read(replay.position, replay.buffer.subarray(headroomBytes));
      if (piece === undefined) break;
      replay.position += piece.length;
      if (!client.output(piece.stream, replay.buffer, headroomBytes, headroomBytes + piece.length)) return;
    }
    this.#endReplay(client);
  }

  #endReplay(client: SessionClient): void {
    this.#replays.delete(client);
    if (this.#exitCode === undefined) this.#live.add(client);
    else client.finished(this.#exitCode);
    this.#free(client);
    if (this.#exitCode !== undefined && this.#replays.size === 0) this.#log.close();
  }

  #free(client: SessionClient): void {
    if (this.#busy.delete(client) && !this.busy) this.#onReady();
  }
}
