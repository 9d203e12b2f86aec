import { EventEmitter } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { createDeferred } from '../deferred.ts';
import { ConnectionError } from '../errors.ts';
import type { SessionMessage, SpawnOptions } from '../options.ts';
import type { Sprite } from '../sprite.ts';
import { openSession } from './open-session.ts';
import type { Session, SessionListener } from './session.ts';

/** What a command tells, in this order. */
export type SpriteCommandEvents = {
  /** the command runs; its session id is known */
  spawn: [];
  /** a text message, such as `session_info` or `port_opened` */
  message: [SessionMessage];
  /** the command ended */
  exit: [number];
  /** the connection was let go by `detach()` */
  detach: [];
  /** the command could not be started or its connection was lost */
  error: [Error];
  /** nothing more comes, and the output was read to its end */
  close: [];
};

type Stream = 'stdout' | 'stderr';

const defaultHighWaterMark = 1_048_576;
/** Largest piece of input sent as one message in bytes. */
const maxInputFrame = 65_536;
/** Most signals and sizes kept while the command is being started; further ones are dropped. */
const maxUntold = 64;

/**
 * A command in a sprite, shaped like Node's ChildProcess. Output that nobody reads slows the command down once
 * `highWaterMark` bytes of it are held. Ends with `exit`, `detach()`, an abort of `options.signal`, or an error.
 */
export class SpriteCommand extends EventEmitter<SpriteCommandEvents> {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly #sprite: Sprite;
  readonly #file: string;
  readonly #args: readonly string[];
  readonly #options: SpawnOptions;
  readonly #exit = createDeferred<number>();
  /** open session whose mode is known: `session_info` has come, or was not needed */
  readonly #ready = createDeferred<Session>();
  readonly #blocked = new Set<Stream>();
  /** what was told before there was a session to tell it to */
  readonly #untold: SessionMessage[] = [];
  #session: Session | undefined;
  #started = false;
  #identified = false;
  #done = false;
  #waited = false;
  #exitCode = -1;
  #sessionId: string | undefined;
  #tty: boolean;
  #cursor = 0;
  #replayBytes = 0;

  constructor(sprite: Sprite, file: string, args: readonly string[] = [], options: SpawnOptions = {}) {
    super();
    this.#sprite = sprite;
    this.#file = file;
    this.#args = args;
    this.#options = options;
    this.#sessionId = options.sessionId;
    this.#tty = options.tty ?? false;
    this.stdin = this.#createInput();
    this.stdout = this.#createOutput('stdout');
    this.stderr = this.#createOutput('stderr');
    // whoever asks later still hears of a failure
    for (const { promise } of [this.#exit, this.#ready]) promise.catch(() => undefined);
  }

  /** Id to attach with, once `spawn` was emitted. */
  get sessionId(): string | undefined {
    return this.#sessionId;
  }

  /** Whether the command has a terminal; sure once `spawn` was emitted. */
  get tty(): boolean {
    return this.#tty;
  }

  /** Byte offset in the session's output up to which this side has received it; an attach resumes there. */
  get cursor(): number {
    return this.#cursor;
  }

  /** How many of the first bytes of output were written before this side joined; 0 unless attached. */
  get replayBytes(): number {
    return this.#replayBytes;
  }

  /** Connects and starts the command. `sprite.spawn` has done it already. */
  async start(): Promise<void> {
    if (this.#started) throw new TypeError('the command has been started already');
    this.#started = true;
    const { signal } = this.#options;
    try {
      const command = { file: this.#file, args: this.#args };
      const session = await openSession(this.#sprite, command, this.#options, this.#listener());
      this.#session = session;
      for (const message of this.#untold.splice(0)) session.tell(message);
      if (this.#done) {
        session.close();
        return;
      }
      if (this.#options.sessionId === undefined || this.#identified) this.#ready.resolve(session);
      signal?.addEventListener('abort', this.#abort, { once: true });
      if (signal?.aborted) this.#abort();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  /** Resolves with the exit status. Rejects when the connection ends without one, `detach()` included. */
  wait(): Promise<number> {
    this.#waited = true;
    return this.#exit.promise;
  }

  /** Signals the command's process group. */
  kill(signal = 'SIGTERM'): void {
    this.#tell({ type: 'signal', signal });
  }

  /** The same as `kill`. */
  signal(signal: string): void {
    this.kill(signal);
  }

  /** Gives the terminal a new size. */
  resize(cols: number, rows: number): void {
    this.#tell({ type: 'resize', cols, rows });
  }

  /** The exit status, or -1 while there is none. */
  exitCode(): number {
    return this.#exitCode;
  }

  /**
   * Lets go of the command without ending it; how long it runs on is up to `detachable` and `maxRunAfterDisconnect`.
   * Attach again with `sessionId` and `cursor`.
   */
  detach(): void {
    if (this.#done) return;
    this.#waited = true;
    this.#finish(new ConnectionError('detached', 'detached from the command', this.#sessionOption()));
    this.emit('detach');
  }

  #listener(): SessionListener {
    return {
      output: (stream, data) => this.#take(stream, data),
      message: (message) => this.#hear(message),
      exit: (code) => void this.#end(code),
      lost: (error) => this.#fail(error),
    };
  }

  #take(stream: Stream, data: Uint8Array): boolean {
    this.#cursor += data.length;
    const readable = this[stream];
    if (readable.destroyed || readable.push(data)) return true;
    this.#blocked.add(stream);
    return false;
  }

  #hear(message: SessionMessage): void {
    if (message.type === 'session_info') this.#identify(message);
    if (message.type === 'gap' && typeof message.to === 'number') this.#skipTo(message.to);
    this.emit('message', message);
    if (message.type === 'session_info') this.emit('spawn');
  }

  /** Output that is no longer kept is not replayed either. */
  #skipTo(position: number): void {
    this.#replayBytes = Math.max(0, this.#replayBytes - (position - this.#cursor));
    this.#cursor = position;
  }

  #identify(info: SessionMessage): void {
    if (typeof info.session_id === 'string') this.#sessionId = info.session_id;
    if (typeof info.tty === 'boolean') this.#tty = info.tty;
    if (typeof info.cursor === 'number') this.#cursor = info.cursor;
    if (typeof info.end === 'number') this.#replayBytes = Math.max(0, info.end - this.#cursor);
    this.#identified = true;
    if (this.#session !== undefined) this.#ready.resolve(this.#session);
  }

  async #end(code: number): Promise<void> {
    if (this.#done) return;
    this.#done = true;
    this.#exitCode = code;
    this.#release();
    // a reader that keeps up has seen all output when it hears of the exit
    await Promise.all([drained(this.stdout), drained(this.stderr)]);
    this.#exit.resolve(code);
    this.emit('exit', code);
    this.#emitCloseWhenRead();
  }

  #fail(error: Error): void {
    if (this.#done) return;
    const named = error instanceof ConnectionError ? this.#name(error) : error;
    this.#finish(named);
    // as with Node's ChildProcess, a failure that nobody listens for is not swallowed
    if (this.listenerCount('error') > 0 || !this.#waited) this.emit('error', named);
  }

  #finish(error: Error): void {
    this.#done = true;
    this.#session?.close();
    this.#ready.reject(error);
    this.#exit.reject(error);
    this.#release();
    this.#emitCloseWhenRead();
  }

  /** Ends the streams; what is buffered in them can still be read. */
  #release(): void {
    this.#options.signal?.removeEventListener('abort', this.#abort);
    for (const readable of [this.stdout, this.stderr]) if (!readable.destroyed) readable.push(null);
    this.stdin.destroy();
  }

  #emitCloseWhenRead(): void {
    let open = 2;
    const ended = (): void => {
      open -= 1;
      if (open === 0) this.emit('close');
    };
    for (const readable of [this.stdout, this.stderr]) {
      if (readable.closed) ended();
      else readable.once('close', ended);
    }
  }

  readonly #abort = (): void => {
    if (this.#done) return;
    this.kill();
    this.#waited ||= this.listenerCount('error') === 0;
    const reason: unknown = this.#options.signal?.reason;
    this.#fail(reason instanceof Error ? reason : new Error(String(reason)));
  };

  #tell(message: SessionMessage): void {
    if (this.#done) return;
    if (this.#session !== undefined) this.#session.tell(message);
    else if (this.#untold.length < maxUntold) this.#untold.push(message);
  }

  #createInput(): Writable {
    return new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        const pass = (session: Session): void => sendPieces(session, chunk, done);
        this.#ready.promise.then(pass).catch(done);
      },
      final: (done) => {
        this.#ready.promise.then((session) => session.end(done)).catch(done);
      },
    }).on('error', () => undefined);
  }

  #createOutput(stream: Stream): Readable {
    const unblock = (): void => {
      if (this.#blocked.delete(stream) && this.#blocked.size === 0) this.#session?.resume();
    };
    return new Readable({
      highWaterMark: this.#options.highWaterMark ?? defaultHighWaterMark,
      read: unblock,
      destroy: (error, done) => {
        unblock();
        done(error);
      },
    });
  }

  #name(error: ConnectionError): ConnectionError {
    return new ConnectionError(error.code, error.message, { cause: error.cause, ...this.#sessionOption() });
  }

  #sessionOption(): { readonly sessionId?: string } {
    return this.#sessionId === undefined ? {} : { sessionId: this.#sessionId };
  }
}

/** Starts a command; what goes wrong is told by `error` and `wait()`. */
export function spawn(
  sprite: Sprite,
  file: string,
  args: readonly string[] = [],
  options: SpawnOptions = {},
): SpriteCommand {
  const command = new SpriteCommand(sprite, file, args, options);
  // `start` has told the listeners already
  command.start().catch(() => undefined);
  return command;
}

function sendPieces(session: Session, chunk: Uint8Array, done: (error?: Error | null) => void): void {
  const piece = chunk.subarray(0, maxInputFrame);
  const rest = chunk.subarray(maxInputFrame);
  session.write(piece, (error) => {
    if (error || rest.length === 0) done(error);
    else sendPieces(session, rest, done);
  });
}

/** Waits while the stream is being read; a stream that nobody reads, or that is held up, is not waited for. */
function drained(readable: Readable): Promise<void> {
  if (readable.readableFlowing !== true || readable.readableEnded || readable.destroyed)
    return Promise.resolve();
  return new Promise((resolve) => {
    for (const event of ['end', 'close', 'error', 'pause'] as const) readable.once(event, () => resolve());
  });
}
