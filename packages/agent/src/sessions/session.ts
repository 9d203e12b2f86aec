import {
  clampTerminal,
  type ExecCommand,
  type OutputStreamId,
  type SessionEntry,
  type SessionInfo,
  type Signal,
  streamIds,
} from '@sprites/contract/exec';
import { countWaitingBytes } from '../kernel/pipe.ts';
import { openTerminalSocket, resizeTerminal } from '../kernel/terminal.ts';
import { ActivityMeter } from './activity-meter.ts';
import { Audience, type SessionClient } from './audience.ts';
import type { Refusal } from './executable.ts';
import { SessionInput } from './input.ts';
import type { OutputLog } from './output-log.ts';
import { headroomBytes, type OpenOutput, OutputReader, openPipeSocket } from './output-reader.ts';
import type { StartedProcess } from './start-process.ts';

/** A process that left others behind with its output open is done after this much silence. */
const quietMs = 250;
/** … and at the latest after this, when the others go on talking. */
const longestDrainMs = 2000;
const sigkillAfterMs = 5000;
const activeMs = 30_000;
const longestCommandLine = 4096;
const longestTimerMs = 2 ** 31 - 1;

export type SessionOptions = {
  readonly id: string;
  readonly command: ExecCommand;
  readonly process: StartedProcess | Refusal;
  readonly log: OutputLog;
  /** called once, when the last output was given out */
  readonly onFinish: () => void;
};

/** One output of the process, and how many bytes of it were unread when the process ended. */
type Stream = { readonly id: OutputStreamId; readonly reader: OutputReader; unread: number };

/**
 * One command with the clients connected to it. It lives until the process has ended and its output was read;
 * clients may come and go. Without clients output goes to the log only.
 */
export class Session {
  readonly id: string;
  readonly tty: boolean;
  readonly pid: number | undefined;
  readonly log: OutputLog;
  readonly #options: SessionOptions;
  readonly #createdMs = Date.now();
  readonly #meter = new ActivityMeter();
  readonly #audience: Audience;
  readonly #streams: Stream[] = [];
  readonly #input: SessionInput;
  readonly #exitListeners = new Set<() => void>();
  #rows: number;
  #cols: number;
  #exit: { readonly code: number; readonly atMs: number } | undefined;
  #finished = false;
  #quietTimer: NodeJS.Timeout | undefined;
  #leaveTimer: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions) {
    const { id, command, process, log } = options;
    this.#options = options;
    this.id = id;
    this.tty = command.tty;
    this.log = log;
    this.#rows = command.tty ? command.rows : 0;
    this.#cols = command.tty ? command.cols : 0;
    this.#audience = new Audience(log, () => this.start());
    this.pid = process.type === 'started' ? process.pid : undefined;
    this.#input = process.type === 'started' ? this.#open(process) : SessionInput.ofPipe(undefined);
  }

  /** undefined while the process lives */
  get exitCode(): number | undefined {
    return this.#exit?.code;
  }

  get lastActivityMs(): number {
    return this.#meter.lastMs;
  }

  /** Reads output, or says why there is none; call it when the first client has joined. */
  start(): void {
    const { process } = this.#options;
    if (process.type === 'refused') this.#refuse(process);
    for (const { reader } of this.#streams) reader.resume();
  }

  /** What a client is told first; `cursor` is where its output starts. */
  describe(isOwner: boolean, cursor: number): SessionInfo {
    return {
      type: 'session_info',
      session_id: this.id,
      command: this.#commandLine(),
      created: Math.floor(this.#createdMs / 1000),
      cols: this.#cols,
      rows: this.#rows,
      is_owner: isOwner,
      tty: this.tty,
      cursor,
      end: this.log.end,
    };
  }

  /** This session's line in the session list. */
  toEntry(): SessionEntry {
    const { command, process } = this.#options;
    return {
      id: this.id,
      command: this.#commandLine(),
      workdir: process.type === 'started' ? process.dir : (command.dir ?? ''),
      created: new Date(this.#createdMs).toISOString(),
      bytes_per_second: this.#meter.bytesPerSecond(),
      is_active: this.#audience.size > 0 || Date.now() - this.#meter.lastMs < activeMs,
      last_activity: new Date(this.#meter.lastMs).toISOString(),
      tty: this.tty,
    };
  }

  /** Connects a client, with `position` to the log from there on first. Each joined client must leave. */
  join(client: SessionClient, position?: number): void {
    clearTimeout(this.#leaveTimer);
    if (position === undefined) this.#audience.join(client);
    else this.#audience.joinAt(client, position);
  }

  /** Says that `client`, which answered false to output, has sent it. */
  sent(client: SessionClient): void {
    this.#audience.sent(client);
  }

  /** Disconnects a client; when it was the last one, the time the command may go on alone begins. */
  leave(client: SessionClient): void {
    const allowedMs = this.#options.command.maxRunAfterDisconnectMs;
    if (!this.#audience.leave(client) || this.#audience.size > 0 || this.#finished) return;
    if (!Number.isFinite(allowedMs)) return;
    this.#leaveTimer = setTimeout(() => void this.#end(), Math.min(allowedMs, longestTimerMs));
  }

  /** Gives input to the command; see `SessionInput.write`. */
  write(bytes: Buffer, onRoom: () => void): boolean {
    this.#meter.count(bytes.length);
    return this.#input.write(bytes, onRoom);
  }

  /** Ends the command's input; a terminal has no end. */
  endInput(): void {
    this.#input.end();
  }

  /** Changes the terminal's size; sizes that make no sense are ignored, too large ones clamped. */
  resize(rows: unknown, cols: unknown): void {
    const size = clampTerminal(rows, cols);
    const fd = this.#streams[0]?.reader.fd;
    if (!this.tty || size === undefined || fd === undefined) return;
    this.#rows = size.rows;
    this.#cols = size.cols;
    resizeTerminal(fd, size);
  }

  /** Sends a signal to the command's process group; nothing happens when it has exited. */
  signal(signal: Pick<Signal, 'number'>): void {
    if (this.pid === undefined || this.#exit !== undefined) return;
    try {
      process.kill(-this.pid, signal.number);
    } catch {
      // The group has just ended, or changed its user; either way there is nothing more to do.
    }
  }

  /** Resolves when the process has exited or after `timeoutMs`, and says whether it has exited. */
  async waitForExit(timeoutMs: number): Promise<boolean> {
    if (this.#exit !== undefined) return true;
    return await new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#exitListeners.delete(done);
        resolve(this.#exit !== undefined);
      };
      const timer = setTimeout(done, Math.min(timeoutMs, longestTimerMs));
      this.#exitListeners.add(done);
    });
  }

  /** Takes the news that the process has ended; what it wrote before is still read and given out. */
  exited(code: number): void {
    this.#exit = { code, atMs: Date.now() };
    clearTimeout(this.#leaveTimer);
    this.#input.end();
    for (const listener of [...this.#exitListeners]) listener();
    for (const stream of this.#streams) {
      stream.unread = stream.reader.fd === undefined ? 0 : countWaitingBytes(stream.reader.fd);
    }
    this.#finishIfDrained();
    if (!this.#finished) this.#quietTimer = setTimeout(() => this.#finishIfQuiet(), quietMs);
  }

  /** A command line can be megabytes long; a message may not. */
  #commandLine(): string {
    return this.#options.command.argv.join(' ').slice(0, longestCommandLine);
  }

  #open({ io }: StartedProcess): SessionInput {
    if (io.type === 'terminal') {
      const terminal = this.#read(streamIds.stdout, (options) => ({
        socket: openTerminalSocket(io.fds, options),
        fd: io.fds.standIn,
      }));
      return SessionInput.ofTerminal(terminal.socket);
    }
    this.#read(streamIds.stdout, openPipeSocket(io.stdout));
    this.#read(streamIds.stderr, openPipeSocket(io.stderr));
    return SessionInput.ofPipe(io.stdin);
  }

  #read(id: OutputStreamId, open: OpenOutput): OutputReader {
    const reader = new OutputReader(open, {
      onChunk: (buffer, start, end) => this.#give(stream, buffer, start, end),
      onEnd: () => this.#finishIfDrained(),
    });
    const stream: Stream = { id, reader, unread: 0 };
    this.#streams.push(stream);
    return reader;
  }

  #give(stream: Stream, buffer: Buffer, start: number, end: number): boolean {
    this.#meter.count(end - start);
    stream.unread -= end - start;
    this.#quietTimer?.refresh();
    const more = this.#audience.give(stream.id, buffer, start, end);
    if (this.#exit !== undefined && Date.now() - this.#exit.atMs > longestDrainMs) this.#finishIfQuiet();
    return more && !this.#finished;
  }

  #refuse({ reason, exitCode }: Refusal): void {
    if (this.#exit !== undefined) return;
    this.#exit = { code: exitCode, atMs: Date.now() };
    const text = Buffer.from(`${' '.repeat(headroomBytes)}${reason}${this.tty ? '\r\n' : '\n'}`);
    this.#audience.give(this.tty ? streamIds.stdout : streamIds.stderr, text, headroomBytes, text.length);
    this.#finish(exitCode);
  }

  #finishIfDrained(): void {
    if (this.#exit === undefined || this.#streams.some(({ reader }) => !reader.ended)) return;
    this.#finish(this.#exit.code);
  }

  /** Ends the session although others hold its output open, once all the process itself wrote was read. */
  #finishIfQuiet(): void {
    if (this.#exit === undefined || this.#finished) return;
    if (this.#audience.busy || this.#streams.some(({ reader, unread }) => !reader.ended && unread > 0)) {
      this.#quietTimer?.refresh();
      return;
    }
    for (const { reader } of this.#streams) reader.discard();
    this.#finish(this.#exit.code);
  }

  #finish(exitCode: number): void {
    if (this.#finished) return;
    this.#finished = true;
    clearTimeout(this.#quietTimer);
    this.#input.close();
    this.#audience.finish(exitCode);
    this.#options.onFinish();
  }

  async #end(): Promise<void> {
    this.signal({ number: 15 });
    if (!(await this.waitForExit(sigkillAfterMs))) this.signal({ number: 9 });
  }
}
