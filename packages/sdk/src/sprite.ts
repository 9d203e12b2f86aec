import type { Duplex } from 'node:stream';
import { endpoints, type PortEvent, type PortList, parsePortMessage } from '@sprites/contract';
import {
  type ControlConnection,
  ControlPool,
  connectPort,
  ProxySession,
  SocketStream,
  type SpriteCommand,
  spawn,
} from '#transport';
import { listCheckpoints, restorePaths, verifyCheckpoints } from './checkpoints.ts';
import { ConnectionError } from './errors.ts';
import { collect } from './exec/exec-file.ts';
import { execFileHTTP } from './exec/http-exec.ts';
import { killSession } from './exec/kill-session.ts';
import { SpriteFilesystem } from './files/filesystem.ts';
import { DiffStream, readPatch } from './http/diff-stream.ts';
import { endpointURL, request, requestJson, streamed } from './http/request.ts';
import {
  CheckpointStream,
  EventStream,
  RestoreStream,
  type SessionKillStream,
  type VerifyStream,
} from './http/streams.ts';
import type {
  CallOptions,
  Checkpoint,
  DiffOptions,
  EventsOptions,
  ExecOptions,
  ExecResult,
  ForkOptions,
  HTTPExecOptions,
  ListCheckpointsOptions,
  Output,
  OutputEncoding,
  RestartSpriteResult,
  RestorePathsOptions,
  Session,
  SleepOptions,
  SpawnOptions,
  SpriteCheck,
  UpdateSpriteOptions,
  URLSettings,
} from './options.ts';
import type { ConnectPortOptions, ProxyMapping } from './ports/port-options.ts';
import { SpriteServices } from './services/sprite-services.ts';
import { toCheckpoint, toSession } from './wire.ts';

/** A sprite by its name. What the server said of it is there when it came from create, get, list or update. */
export class Sprite extends SpriteServices {
  #control: ControlPool | undefined;

  /** Starts a command and returns at once; wakes the sprite. */
  spawn(command: string, args: readonly string[] = [], options: SpawnOptions = {}): SpriteCommand {
    return spawn(this, command, args, options);
  }

  /** Runs a line split on white space. No shell reads it: use `execFile` for arguments with spaces or quotes. */
  exec<E extends OutputEncoding = 'utf8'>(
    command: string,
    options: ExecOptions<E> = {},
  ): Promise<ExecResult<Output<E>>> {
    const [file = '', ...args] = command.trim().split(/\s+/);
    return this.execFile(file, args, options);
  }

  /** Runs a program to its end and returns its output; a status other than 0 is an ExecError. */
  async execFile<E extends OutputEncoding = 'utf8'>(
    file: string,
    args: readonly string[] = [],
    options: ExecOptions<E> = {},
  ): Promise<ExecResult<Output<E>>> {
    // the default of E is `utf8`
    return collect(this.spawn(file, args, options), options, options.encoding ?? ('utf8' as E));
  }

  /** Runs a program over plain HTTP, without a terminal, where no WebSocket can pass. */
  execFileHTTP<E extends OutputEncoding = 'utf8'>(
    file: string,
    args: readonly string[] = [],
    options: HTTPExecOptions<E> = {},
  ): Promise<ExecResult<Output<E>>> {
    return execFileHTTP(this.client, this.name, file, args, options);
  }

  /** Starts a command on a terminal that outlives its connection. */
  createSession(command: string, args: readonly string[] = [], options: SpawnOptions = {}): SpriteCommand {
    return this.spawn(command, args, { ...options, detachable: true, tty: true });
  }

  /** Connects to a running session; its earlier output comes first, from `options.cursor` on if given. */
  attachSession(sessionId: string, options: SpawnOptions = {}): SpriteCommand {
    return this.spawn('', [], { ...options, sessionId });
  }

  /** The running sessions. */
  async listSessions(options: CallOptions = {}): Promise<Session[]> {
    const { sessions } = await requestJson(this.client, endpoints.exec, {
      params: { name: this.name },
      signal: options.signal,
    });
    return sessions.map(toSession);
  }

  /** Signals a session and follows its end. `timeout` is a duration such as `10s`, after which it is killed. */
  killSession(
    sessionId: string,
    signal?: string,
    timeout?: string,
    options: CallOptions = {},
  ): Promise<SessionKillStream> {
    return killSession(this.client, { name: this.name, sessionId, signal, timeout }, options);
  }

  /** Saves the disk while everything in the sprite goes on. `wait()` on the stream for its end. */
  async createCheckpoint(comment?: string, options: CallOptions = {}): Promise<CheckpointStream> {
    return new CheckpointStream(
      await request(this.client, endpoints.createCheckpoint, {
        params: { name: this.name },
        json: { comment },
        ...streamed(options),
      }),
    );
  }

  /** Saves the disk and resolves when that is done. */
  async checkpoint(comment?: string, options: CallOptions = {}): Promise<Checkpoint> {
    const { checkpointId = '' } = await (await this.createCheckpoint(comment, options)).wait();
    return this.getCheckpoint(checkpointId, options);
  }

  /** The live disk as `Current`, then the checkpoints, newest first; never wakes the sprite. */
  listCheckpoints(
    history: string | ListCheckpointsOptions = {},
    more: Omit<ListCheckpointsOptions, 'history'> = {},
  ): Promise<Checkpoint[]> {
    const options = typeof history === 'string' ? { ...more, history } : history;
    return listCheckpoints(this.client, this.name, options);
  }

  async getCheckpoint(id: string, { signal }: CallOptions = {}): Promise<Checkpoint> {
    const params = { name: this.name, checkpoint: id };
    return toCheckpoint(await requestJson(this.client, endpoints.getCheckpoint, { params, signal }));
  }

  /**
   * Puts a saved disk in place of the present one, which is saved before; commands in the sprite end. `wait()` on the
   * stream for its end.
   */
  async restoreCheckpoint(id: string, options: CallOptions = {}): Promise<RestoreStream> {
    const params = { name: this.name, checkpoint: id };
    return new RestoreStream(
      await request(this.client, endpoints.restoreCheckpoint, { params, ...streamed(options) }),
    );
  }

  /** Puts only some paths of a saved disk back into the running sprite; the present disk is saved before. */
  restorePaths(
    id: string,
    paths: readonly string[],
    options: RestorePathsOptions = {},
  ): Promise<RestoreStream> {
    return restorePaths(this.client, { name: this.name, id, paths }, options);
  }

  /** Restores a checkpoint and resolves when the sprite runs with it. */
  async restore(id: string, options: CallOptions = {}): Promise<void> {
    await (await this.restoreCheckpoint(id, options)).wait();
  }

  /**
   * Compares checkpoints, all when none is named, with the checksums made when they were new. `wait()` on the stream for
   * its end, which is an error with code `checkpoint_damaged` when any is.
   */
  verifyCheckpoints(ids: readonly string[] = [], options: CallOptions = {}): Promise<VerifyStream> {
    return verifyCheckpoints(this.client, this.name, ids, options);
  }

  /** Deletes a checkpoint; the one the live disk is based on is refused. */
  async deleteCheckpoint(id: string, { signal }: CallOptions = {}): Promise<void> {
    const params = { name: this.name, checkpoint: id };
    const response = await request(this.client, endpoints.deleteCheckpoint, { params, signal });
    await response.body?.cancel();
  }

  /**
   * How the files of two disks differ, both ids of checkpoints or `Current`; never wakes the sprite. Read it with
   * `for await`, or `all()`.
   */
  async diff(before: string, after = 'Current', { path, signal }: DiffOptions = {}): Promise<DiffStream> {
    const query = new URLSearchParams(path === undefined ? {} : { path });
    const params = { name: this.name, checkpoint: before, other: after };
    return new DiffStream(
      await request(this.client, endpoints.diffCheckpoints, { params, query, ...streamed({ signal }) }),
    );
  }

  /** A unified diff of one text file of two disks; empty when it is the same in both. */
  async patch(path: string, before: string, after = 'Current', options: CallOptions = {}): Promise<string> {
    const query = new URLSearchParams({ patch: path });
    const params = { name: this.name, checkpoint: before, other: after };
    return readPatch(
      await request(this.client, endpoints.diffCheckpoints, { params, query, ...streamed(options) }),
    );
  }

  /** Makes a new sprite with a copy of this one's disk, live or as a checkpoint saved it; this one goes on running. */
  fork(newName: string, { checkpoint, ...options }: ForkOptions = {}): Promise<Sprite> {
    const from = { sprite: this.name, ...(checkpoint === undefined ? {} : { checkpoint }) };
    return this.client.createSprite(newName, { ...options, from });
  }

  /**
   * The sprite with its files, checkpoints and settings as bytes of a `.tar.zst`; it goes on running and is not woken. A
   * failure on the way is an error of the stream: what came until then is no export.
   */
  async export({ signal }: CallOptions = {}): Promise<ReadableStream<Uint8Array>> {
    const response = await request(this.client, endpoints.exportSprite, {
      params: { name: this.name },
      accept: 'application/zstd',
      signal,
      timeoutMs: 0,
    });
    if (response.body === null) throw new ConnectionError('protocol', 'the answer has no body');
    return response.body;
  }

  /** Deletes the sprite with everything in it. */
  async delete(options: CallOptions = {}): Promise<void> {
    this.closeControlConnection();
    await this.client.deleteSprite(this.name, options);
  }

  /** The same as `delete`. */
  destroy(options: CallOptions = {}): Promise<void> {
    return this.delete(options);
  }

  upgrade(options: CallOptions = {}): Promise<void> {
    return this.client.upgradeSprite(this.name, options);
  }

  restart(options: CallOptions = {}): Promise<RestartSpriteResult> {
    return this.client.restartSprite(this.name, options);
  }

  /** Puts the sprite to sleep now, also a busy one; the answer is a new handle with the new facts. */
  sleep(options: SleepOptions = {}): Promise<Sprite> {
    return this.client.sleepSprite(this.name, options);
  }

  /** Wakes the sprite; the answer is a new handle with the new facts. */
  wake(options: CallOptions = {}): Promise<Sprite> {
    return this.client.wakeSprite(this.name, options);
  }

  /** What happened to the sprite and why, oldest first; never wakes it. */
  async events({ follow, since, limit, ...options }: EventsOptions = {}): Promise<EventStream> {
    const query = new URLSearchParams();
    if (follow === true) query.set('follow', 'true');
    if (since !== undefined) query.set('since', since instanceof Date ? since.toISOString() : String(since));
    if (limit !== undefined) query.set('limit', String(limit));
    const params = { name: this.name };
    return new EventStream(
      await request(this.client, endpoints.listEvents, { params, query, ...streamed(options) }),
    );
  }

  check(options: CallOptions = {}): Promise<SpriteCheck> {
    return this.client.checkSprite(this.name, options);
  }

  /** Changes what is given; the answer is a new handle with the new facts. */
  update(options: UpdateSpriteOptions): Promise<Sprite> {
    return this.client.updateSprite(this.name, options);
  }

  updateURLSettings(settings: URLSettings): Promise<void> {
    return this.client.updateURLSettings(this.name, settings);
  }

  /** The files of the sprite; relative paths start at `workingDir`, by default the home of its user. */
  filesystem(workingDir?: string): SpriteFilesystem {
    return new SpriteFilesystem(this, workingDir);
  }

  /** Connects to a TCP port from inside the sprite, which it wakes; both directions end apart. */
  connectPort(options: ConnectPortOptions): Promise<Duplex> {
    return connectPort(this, options);
  }

  /** Makes a port in the sprite reachable at a port of this machine; 0 picks a free one. */
  proxyPort(localPort: number, remotePort: number, remoteHost?: string): Promise<ProxySession> {
    return ProxySession.listen(this, {
      localPort,
      remotePort,
      ...(remoteHost === undefined ? {} : { remoteHost }),
    });
  }

  /** Does the same for several ports; when one fails, none stays. */
  proxyPorts(mappings: readonly ProxyMapping[]): Promise<ProxySession[]> {
    return ProxySession.listenAll(this, mappings);
  }

  /** Follows which ports something listens on: first a list of those that are open, then what changes. */
  watchPorts({ signal }: CallOptions = {}): Promise<SocketStream<PortEvent | PortList>> {
    const url = endpointURL(this.client.baseURL, endpoints.watchPorts, { name: this.name });
    return SocketStream.open({ url, token: this.client.token, signal }, parsePortMessage);
  }

  /** Whether commands use control connections unless told otherwise. */
  useControlMode(): boolean {
    return this.client.controlMode;
  }

  /** An idle control connection; undefined when the server has none to offer. */
  getControlConnection(options: CallOptions = {}): Promise<ControlConnection | undefined> {
    return this.control.acquire(options.signal);
  }

  /** Closes the control connections of this handle, with the commands on them. */
  closeControlConnection(): void {
    this.#control?.close();
  }

  hasControlConnection(): boolean {
    return (this.#control?.size ?? 0) > 0;
  }

  /** The kept control connections of this handle. */
  get control(): ControlPool {
    this.#control ??= new ControlPool(this);
    return this.#control;
  }
}
