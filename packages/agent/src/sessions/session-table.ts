import { SpriteError } from '@sprites/contract/errors';
import type { ExecCommand } from '@sprites/contract/exec';
import type { ChildExits } from '../kernel/child-exits.ts';
import type { User } from '../kernel/user.ts';
import { IdleRelease } from './idle-release.ts';
import { OutputLog } from './output-log.ts';
import { Session } from './session.ts';
import { startProcess } from './start-process.ts';

/** Ended sessions whose ids are remembered, so that a late kill is told so and hits no other session. */
const largestEndedCount = 4096;
/** larger than any pid of Linux */
const firstFreeNumber = 4_194_305;

export type SessionTableOptions = {
  /** where output of sessions is kept while they live */
  readonly logDirectory: string;
  /** output kept per session */
  readonly logBytes: number;
  readonly exits: ChildExits;
  readonly findUser: () => User;
  readonly readEnvironment: () => Readonly<Record<string, string>>;
};

/** All sessions of the sprite: the live ones, and the ids of those that ended not long ago. */
export class SessionTable {
  readonly #options: SessionTableOptions;
  readonly #live = new Map<string, Session>();
  readonly #ended = new Set<string>();
  readonly #idle = new IdleRelease(() => this.#live.size === 0);
  #nextNumber = firstFreeNumber;
  #lastActivityMs = Date.now();
  #onChange: () => void = () => {};

  constructor(options: SessionTableOptions) {
    this.#options = options;
  }

  /** Sets who hears that a session has begun or ended. */
  onChange(listener: () => void): void {
    this.#onChange = listener;
  }

  /** Gives memory back some time after something else than a session was done, unless a session runs. */
  releaseSoon(): void {
    this.#idle.sessionEnded();
  }

  /** Starts a command; one that cannot be started becomes a session that says why and ends. Never throws. */
  start(command: ExecCommand): Session {
    const { exits, findUser, readEnvironment, logDirectory, logBytes } = this.#options;
    const process = startProcess(command, { user: findUser(), environment: readEnvironment() });
    const id = this.#pickId(process.type === 'started' ? process.pid : undefined);
    const session = new Session({
      id,
      command,
      process,
      log: new OutputLog({ directory: logDirectory, capacityBytes: logBytes }),
      onFinish: () => this.#forget(session),
    });
    this.#live.set(id, session);
    if (process.type === 'started') exits.watch(process.pid, (code) => session.exited(code));
    this.#onChange();
    return session;
  }

  /** The live session of that id. Throws `session_not_found`, also for one that has ended. */
  get(id: string): Session {
    const session = this.#live.get(id);
    if (session === undefined)
      throw new SpriteError('session_not_found', `session not found: ${id.slice(0, 80)}`);
    return session;
  }

  /** Like `get`, but throws `session_exited` for a session that has ended. */
  getToKill(id: string): Session {
    const session = this.#live.get(id);
    if (this.#ended.has(id) || session?.exitCode !== undefined) {
      throw new SpriteError('session_exited', `session ${id} has already exited`);
    }
    return session ?? this.get(id);
  }

  /** Live sessions, oldest first. */
  list(): readonly Session[] {
    return [...this.#live.values()];
  }

  /** When a session, also one that has ended, last had input or output. */
  lastActivityMs(): number {
    return this.list().reduce(
      (latest, session) => Math.max(latest, session.lastActivityMs),
      this.#lastActivityMs,
    );
  }

  #pickId(pid: number | undefined): string {
    const id = String(pid);
    if (pid !== undefined && !this.#live.has(id) && !this.#ended.has(id)) return id;
    return String(this.#nextNumber++);
  }

  #forget(session: Session): void {
    this.#live.delete(session.id);
    this.#ended.add(session.id);
    this.#idle.sessionEnded();
    this.#lastActivityMs = Date.now();
    this.#onChange();
    if (this.#ended.size <= largestEndedCount) return;
    const [oldest] = this.#ended;
    if (oldest !== undefined) this.#ended.delete(oldest);
  }
}
