import type { ChildExits } from '../kernel/child-exits.ts';
import { countWaitingBytes } from '../kernel/pipe.ts';
import { OutputReader, openPipeSocket } from '../sessions/output-reader.ts';
import { findKin } from './kin.ts';
import { LineTagger, type OutputName } from './line-tagger.ts';
import type { ServiceLog } from './service-log.ts';

/** Others may hold the output open; it counts as ended after this much silence … */
const quietMs = 250;
/** … and at the latest after this. */
const longestDrainMs = 2000;
const firstLookMs = 5;
const lookMs = 100;
/** How long processes that a crash left behind may take to end. */
const leftoverMs = 1000;
const afterKillMs = 5000;
const sigterm = 15;
const sigkill = 9;

export type ServiceRunOptions = {
  readonly pid: number;
  /** our ends of the output pipes */
  readonly stdout: number;
  readonly stderr: number;
  /** `KEY=VALUE` that is in the environment of this run and of no other */
  readonly mark: string;
  readonly exits: ChildExits;
  readonly log: ServiceLog;
  /** called once: the process has ended and its output is in the log */
  readonly onEnd: (exitCode: number) => void;
};

type Output = { readonly reader: OutputReader; readonly tagger: LineTagger; unread: number };

/**
 * One run of a service, from its start to the end of its process. A process that ends well but leaves others running, as
 * daemons do, is followed by the oldest of them.
 */
export class ServiceRun {
  readonly #options: ServiceRunOptions;
  readonly #outputs: readonly Output[];
  readonly #startedMs = performance.now();
  #pid: number;
  /** process group that signals go to */
  #group: number;
  #exitCode: number | undefined;
  #exitedMs = 0;
  #ended = false;
  #draining = false;
  #termination: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ServiceRunOptions) {
    this.#options = options;
    this.#pid = options.pid;
    this.#group = options.pid;
    options.exits.watch(options.pid, (code) => this.#exited(code));
    this.#outputs = [this.#read('stdout', options.stdout), this.#read('stderr', options.stderr)];
    for (const { reader } of this.#outputs) reader.resume();
  }

  /** the process that is the service now */
  get pid(): number {
    return this.#pid;
  }

  get ranMs(): number {
    return performance.now() - this.#startedMs;
  }

  /** Sends a signal to the process group of the service. */
  signal(number: number): void {
    if (this.#exitCode === undefined) send(-this.#group, number);
  }

  /** Ends every process of this run: SIGTERM, and SIGKILL for those that live on after `timeoutMs`. Once is enough. */
  terminate(timeoutMs: number): Promise<void> {
    this.#termination ??= this.#terminate(timeoutMs);
    return this.#termination;
  }

  async #terminate(timeoutMs: number): Promise<void> {
    this.#signalAll(sigterm);
    if (!(await this.#gone(timeoutMs))) {
      this.#signalAll(sigkill);
      await this.#gone(afterKillMs);
    }
    if (this.#exitCode !== undefined) this.#drain();
  }

  #signalAll(number: number): void {
    this.signal(number);
    for (const { pid, group } of this.#kin()) if (group !== this.#group) send(pid, number);
  }

  /** Whether nothing of this run lives any more within `timeoutMs`. A killer must look often: processes make others. */
  async #gone(timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    for (let waitMs = firstLookMs; ; waitMs = Math.min(waitMs * 2, lookMs)) {
      if (this.#exitCode !== undefined && this.#kin().length === 0) return true;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return false;
      await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, leftMs)));
    }
  }

  #kin(): ReturnType<typeof findKin> {
    const { pid, mark } = this.#options;
    const hasLeaderEnded = this.#exitCode !== undefined || this.#pid !== pid;
    return findKin({ leader: pid, hasLeaderEnded, mark });
  }

  #read(name: OutputName, fd: number): Output {
    const tagger = new LineTagger(name);
    const reader: OutputReader = new OutputReader(openPipeSocket(fd), {
      onChunk: (buffer, start, end) => {
        output.unread -= end - start;
        this.#timer?.refresh();
        const lines = tagger.push(buffer.subarray(start, end), Date.now());
        const hasRoom = this.#options.log.append(lines, () => reader.resume());
        if (this.#draining && performance.now() - this.#exitedMs > longestDrainMs) this.#endIfQuiet();
        return hasRoom && !this.#ended;
      },
      onEnd: () => this.#endIfDrained(),
    });
    const output: Output = { reader, tagger, unread: 0 };
    return output;
  }

  #exited(code: number): void {
    const heir = code === 0 && this.#termination === undefined ? this.#findHeir() : undefined;
    if (heir !== undefined) {
      this.#pid = heir.pid;
      // one of the agent's own group is signalled by itself
      this.#group = heir.group > 1 && heir.group !== process.pid ? heir.group : -heir.pid;
      this.#options.exits.watch(heir.pid, (next) => this.#exited(next));
      return;
    }
    this.#exitCode = code;
    // What a crash leaves behind would stand in the way of the next run.
    if (this.#kin().length > 0) void this.terminate(leftoverMs);
    else this.#drain();
  }

  /** Reads what is left of the output; nothing of this run lives any more that could write. */
  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#exitedMs = performance.now();
    for (const output of this.#outputs) {
      output.unread = output.reader.fd === undefined ? 0 : countWaitingBytes(output.reader.fd);
    }
    this.#endIfDrained();
    if (!this.#ended) this.#timer = setTimeout(() => this.#endIfQuiet(), quietMs);
  }

  /** The oldest process left that is a child of the agent now, so that its end will be told. */
  #findHeir(): ReturnType<typeof findKin>[number] | undefined {
    return this.#kin().find(({ parent }) => parent === process.pid);
  }

  #endIfDrained(): void {
    if (!this.#draining || this.#outputs.some(({ reader }) => !reader.ended)) return;
    this.#end();
  }

  /** Ends although strangers hold the output open, once all that the processes of this run wrote was read. */
  #endIfQuiet(): void {
    if (this.#ended) return;
    if (this.#outputs.some(({ reader, unread }) => !reader.ended && unread > 0)) {
      this.#timer?.refresh();
      return;
    }
    for (const { reader } of this.#outputs) reader.discard();
    this.#end();
  }

  #end(): void {
    if (this.#ended || this.#exitCode === undefined) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    for (const { tagger } of this.#outputs) this.#options.log.append(tagger.flush(Date.now()), () => {});
    this.#options.onEnd(this.#exitCode);
  }
}

function send(pid: number, signal: number): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has just ended
  }
}
