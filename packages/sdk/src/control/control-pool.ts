import { APIError } from '../errors.ts';
import type { CommandLine } from '../exec/query.ts';
import type { Session, SessionListener } from '../exec/session.ts';
import type { SpawnOptions } from '../options.ts';
import type { Sprite } from '../sprite.ts';
import { ControlConnection } from './control-connection.ts';

/** Most connections kept without work; further ones are closed after use. */
const maxIdle = 10;
/** An open connection keeps its sprite awake, so an unused one is not kept for long. */
const idleLimitMs = 10_000;

/** Statuses with which a server says that it has no control endpoint. */
const unsupported: ReadonlySet<number> = new Set([404, 405, 426, 501]);

/** The control connections of one sprite: as many as commands run at once, reused afterwards. */
export class ControlPool {
  readonly #sprite: Sprite;
  readonly #connections = new Set<ControlConnection>();
  readonly #idle = new Map<ControlConnection, ReturnType<typeof setTimeout>>();
  #supported = true;

  constructor(sprite: Sprite) {
    this.#sprite = sprite;
  }

  get size(): number {
    return this.#connections.size;
  }

  /**
   * Starts a command on a free or new connection. Undefined when the server has no control endpoint: then nothing has
   * been started and the command can go another way. Once started it is never started again, however it ends.
   */
  async start(
    command: CommandLine,
    options: SpawnOptions,
    listener: SessionListener,
  ): Promise<Session | undefined> {
    const connection = await this.acquire(options.signal ?? undefined);
    return connection?.start(command, options, listener);
  }

  /** A connection that is idle now; undefined when the server has no control endpoint. */
  async acquire(signal?: AbortSignal): Promise<ControlConnection | undefined> {
    if (!this.#supported) return undefined;
    for (const [connection, timer] of this.#idle) {
      clearTimeout(timer);
      this.#idle.delete(connection);
      if (!connection.isClosed) return connection;
    }
    const connection = new ControlConnection(this.#sprite, {
      idle: (freed) => this.#keep(freed),
      closed: (gone) => this.#forget(gone),
    });
    try {
      await connection.connect(signal);
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      this.#supported = false;
      return undefined;
    }
    this.#connections.add(connection);
    return connection;
  }

  /** Closes every connection, those with a running command too. */
  close(): void {
    for (const connection of [...this.#connections]) connection.close();
  }

  #keep(connection: ControlConnection): void {
    if (connection.isClosed) return;
    if (this.#idle.size >= maxIdle) {
      connection.close();
      return;
    }
    connection.setReferenced(false);
    const timer = setTimeout(() => connection.close(), idleLimitMs);
    // neither the timer nor the connection keeps a finished program alive
    if (typeof timer === 'object') timer.unref();
    this.#idle.set(connection, timer);
  }

  #forget(connection: ControlConnection): void {
    clearTimeout(this.#idle.get(connection));
    this.#idle.delete(connection);
    this.#connections.delete(connection);
  }
}

function isUnsupported(error: unknown): boolean {
  if (!(error instanceof APIError) || error.statusCode === undefined) return false;
  return unsupported.has(error.statusCode) && error.errorCode !== 'sprite_not_found';
}
