import type { ExecCommand } from '@sprites/contract/exec';
import type {
  ServiceDefinition,
  ServiceEntry,
  ServiceEvent,
  ServiceStatus,
} from '@sprites/contract/services';
import type { ChildExits } from '../kernel/child-exits.ts';
import type { User } from '../kernel/user.ts';
import { type Refusal, refusalCodes, refuse } from '../sessions/executable.ts';
import { type StartedProcess, startProcess } from '../sessions/start-process.ts';
import type { BackOff } from './back-off.ts';
import { LineTagger } from './line-tagger.ts';
import type { ServiceLog } from './service-log.ts';
import { ServiceRun } from './service-run.ts';

/** Something that happened to a service, and how far its log was at that time. */
export type ServiceMoment = { readonly event: ServiceEvent; readonly position: number };

export type ServiceOptions = {
  readonly name: string;
  readonly definition: ServiceDefinition;
  /** whether someone stopped it, so that it is not started by itself */
  readonly stopped: boolean;
  readonly log: ServiceLog;
  readonly exits: ChildExits;
  readonly backOff: BackOff;
  /** the account of that name, or without a name the usual one; undefined when there is none */
  readonly findUser: (name: string | undefined) => User | undefined;
  readonly readEnvironment: () => Readonly<Record<string, string>>;
  /** called to start it again after it ended by itself */
  readonly onRestartDue: () => void;
  /** called whenever its status has changed */
  readonly onChange: () => void;
};

/** A supervised process, from its definition to its removal: started, watched, started again, stopped. */
export class Service {
  readonly name: string;
  readonly log: ServiceLog;
  readonly #options: ServiceOptions;
  readonly #listeners = new Set<(moment: ServiceMoment) => void>();
  /** whether it is to run: not when someone stopped it */
  wanted: boolean;
  definition: ServiceDefinition;
  #status: ServiceStatus = 'stopped';
  #run: ServiceRun | undefined;
  #stopping: Promise<void> | undefined;
  #startedAt: Date | undefined;
  #restartCount = 0;
  #restart: { readonly timer: NodeJS.Timeout; readonly at: Date } | undefined;
  #error = '';

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.name = options.name;
    this.log = options.log;
    this.definition = options.definition;
    this.wanted = !options.stopped;
  }

  get status(): ServiceStatus {
    return this.#status;
  }

  /** when the present process was started, in `ms` since the epoch; undefined while there is none */
  get startedMs(): number | undefined {
    return this.#run === undefined ? undefined : this.#startedAt?.getTime();
  }

  /** whether it runs, or would be started again by itself */
  get isUp(): boolean {
    return this.#run !== undefined || this.#restart !== undefined || this.#status === 'starting';
  }

  /** whether it waits to be started again after it ended by itself */
  get isWaiting(): boolean {
    return this.#restart !== undefined;
  }

  /** This service as the API shows it. */
  toEntry(): ServiceEntry {
    const { name, definition } = this;
    return {
      name,
      ...definition,
      http_port: definition.http_port ?? null,
      state: {
        name,
        status: this.#status,
        ...(this.#run === undefined ? {} : { pid: this.#run.pid }),
        ...(this.#run === undefined || this.#startedAt === undefined
          ? {}
          : { started_at: this.#startedAt.toISOString() }),
        restart_count: this.#restartCount,
        next_restart_at: this.#restart?.at.toISOString() ?? null,
        error: this.#error,
      },
    };
  }

  /** Calls `listener` with everything that happens, until the returned function is called. */
  listen(listener: (moment: ServiceMoment) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Says that it will be started as soon as what it needs is there. */
  prepare(): void {
    this.#cancelRestart();
    this.#setStatus('starting');
  }

  /** Forgets earlier failures: someone asked for a start. */
  forgive(): void {
    this.#restartCount = 0;
    this.#options.backOff.reset();
  }

  /** Starts the process. What cannot be started is tried again later, like one that ended by itself. */
  launch(): void {
    if (this.#run !== undefined) return;
    this.#cancelRestart();
    const mark = createMark();
    const process = this.#startProcess(mark);
    if (process.type === 'refused') {
      const isMissing = process.exitCode === refusalCodes.notFound;
      const missing = `executable file \`${this.definition.cmd}\` not found: No such file or directory`;
      this.fail(isMissing ? missing : process.reason);
      return;
    }
    // startProcess opens pipes for a command without a terminal
    if (process.io.type !== 'pipes') throw new Error('a service has no terminal');
    const { log, exits } = this.#options;
    const { stdout, stderr } = process.io;
    const onEnd = (exitCode: number): void => this.#ended(exitCode);
    this.#run = new ServiceRun({ pid: process.pid, stdout, stderr, mark, exits, log, onEnd });
    this.#startedAt = new Date();
    this.#error = '';
    this.#setStatus('running');
    this.#tell({ type: 'started', timestamp: this.#startedAt.getTime() });
  }

  /** Says why it could not be started, in its log as well, and tries again later. */
  fail(reason: string): void {
    const tagger = new LineTagger('stderr');
    this.log.append(tagger.push(Buffer.from(`${reason}\n`), Date.now()), () => {});
    this.#error = reason;
    this.#tell({ type: 'error', data: reason, timestamp: Date.now() });
    this.#scheduleRestart(0);
  }

  /** Ends the process and everything it left behind; does nothing when it does not run. Never throws. */
  stop(timeoutMs: number): Promise<void> {
    this.#stopping ??= this.#stop(timeoutMs).finally(() => {
      this.#stopping = undefined;
    });
    return this.#stopping;
  }

  /** Sends a signal to the process; false when there is none. */
  signal(number: number): boolean {
    if (this.#run === undefined) return false;
    this.#run.signal(number);
    return true;
  }

  #startProcess(mark: string): StartedProcess | Refusal {
    const { findUser, readEnvironment } = this.#options;
    const user = findUser(this.definition.user);
    if (user === undefined) return refuse(`the sprite has no account ${this.definition.user}`);
    return startProcess(toCommand(this.name, this.definition, mark), {
      user,
      environment: readEnvironment(),
    });
  }

  async #stop(timeoutMs: number): Promise<void> {
    if (this.isUp) this.#tell({ type: 'stopping', timestamp: Date.now() });
    const run = this.#run;
    this.#error = '';
    if (run === undefined) {
      if (this.isUp) this.#tell({ type: 'stopped', timestamp: Date.now() });
      this.#cancelRestart();
      this.#setStatus('stopped');
      return;
    }
    this.#setStatus('stopping');
    const ended = Promise.withResolvers<void>();
    const unlisten = this.listen(({ event }) => {
      if (event.type === 'stopped') ended.resolve();
    });
    await run.terminate(timeoutMs);
    // Its last output may wait for a disk that lets nobody write.
    const late = setTimeout(ended.resolve, lastOutputMs);
    await ended.promise;
    clearTimeout(late);
    unlisten();
  }

  #ended(exitCode: number): void {
    const ranMs = this.#run?.ranMs ?? 0;
    this.#run = undefined;
    this.log.close();
    const timestamp = Date.now();
    if (this.#status === 'stopping') {
      this.#setStatus('stopped');
      this.#tell({ type: 'stopped', exit_code: exitCode, timestamp });
      return;
    }
    this.#error = `ended by itself with status ${exitCode}`;
    this.#tell({ type: 'exit', exit_code: exitCode, timestamp });
    this.#scheduleRestart(ranMs);
  }

  #scheduleRestart(ranMs: number): void {
    const delayMs = this.#options.backOff.nextMs(ranMs);
    const timer = setTimeout(() => {
      this.#restartCount++;
      this.#options.onRestartDue();
    }, delayMs);
    this.#restart = { timer, at: new Date(Date.now() + delayMs) };
    this.#setStatus('failed');
  }

  #cancelRestart(): void {
    clearTimeout(this.#restart?.timer);
    this.#restart = undefined;
  }

  #setStatus(status: ServiceStatus): void {
    this.#status = status;
    this.#options.onChange();
  }

  #tell(event: ServiceEvent): void {
    const moment = { event, position: this.log.end };
    for (const listener of [...this.#listeners]) listener(moment);
  }
}

const lastOutputMs = 5000;
let runCount = 0;

/** What no other run has; it is no secret. Loading node:crypto would cost each sprite a megabyte. */
function createMark(): string {
  const random = Math.random().toString(36).slice(2);
  return `SPRITE_SERVICE_RUN=${Date.now().toString(36)}-${runCount++}-${random}`;
}

function toCommand(name: string, { cmd, args, env, dir }: ServiceDefinition, mark: string): ExecCommand {
  const own = Object.entries(env).map(([key, value]) => `${key}=${value}`);
  return {
    argv: [cmd, ...args],
    file: cmd,
    tty: false,
    rows: 0,
    cols: 0,
    stdin: false,
    env: [...own, `SPRITE_SERVICE=${name}`, mark],
    dir,
    maxRunAfterDisconnectMs: Number.POSITIVE_INFINITY,
  };
}
