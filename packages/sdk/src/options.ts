import type { ChangeKind, FileKind, SpriteStatus } from '@sprites/contract';
import type { z } from 'zod';
import type { AutoCheckpointOptions, AutoCheckpoints } from './checkpoint-options.ts';

export type * from './checkpoint-options.ts';

/** How to reach a server. */
export type ClientOptions = {
  /** address of the server, without `/v1`; default `http://127.0.0.1:7777` */
  readonly baseURL?: string;
  /** time limit of an ordinary request in `ms`; default 30000 */
  readonly timeout?: number;
  /** run commands over kept control connections; default false */
  readonly controlMode?: boolean;
};

/** Any call can be given up by its caller. */
export type CallOptions = { readonly signal?: AbortSignal | undefined };

export type URLSettings = {
  /** `sprite` (token needed) or `public` */
  readonly auth?: string;
  readonly privateAccess?: 'admins' | 'org_users';
};

export type SpriteConfig = {
  readonly ramMB?: number;
  readonly cpus?: number;
  readonly region?: string;
  readonly storageGB?: number;
};

/** Seconds until an idle sprite is frozen, and a frozen one stopped; `null` for what the server has. */
export type IdleSettings = {
  readonly warmAfterS?: number | 'never' | null;
  readonly coldAfterS?: number | 'never' | null;
};

export type CreateSpriteOptions = CallOptions & {
  readonly config?: SpriteConfig;
  /** variables of every command in the sprite */
  readonly environment?: Readonly<Record<string, string>>;
  readonly urlSettings?: URLSettings;
  readonly labels?: readonly string[];
  /** wait for a free place instead of failing with 429 */
  readonly waitForCapacity?: boolean;
  readonly runtime?: 'default' | 'dev';
  /** name or digest of a base image; default the server's */
  readonly image?: string;
  /** how long it may be idle; default the server's */
  readonly idle?: IdleSettings;
  readonly autoCheckpoints?: AutoCheckpointOptions;
  /** begin with a copy of another sprite's disk: the live one, or a saved one */
  readonly from?: { readonly sprite: string; readonly checkpoint?: string };
};

/** What a fork gets instead of what its origin has. */
export type ForkOptions = Pick<
  CreateSpriteOptions,
  'labels' | 'environment' | 'urlSettings' | 'waitForCapacity' | 'idle' | 'signal'
> & {
  /** id of the checkpoint to start from; default the live disk */
  readonly checkpoint?: string;
};

export type UpdateSpriteOptions = CallOptions & {
  readonly autoCheckpoints?: AutoCheckpointOptions;
  readonly urlSettings?: URLSettings;
  /** replaces all labels; empty clears */
  readonly labels?: readonly string[];
  /** what is left out stays */
  readonly idle?: IdleSettings;
};

export type ListOptions = CallOptions & {
  readonly prefix?: string;
  readonly maxResults?: number;
  readonly continuationToken?: string;
  readonly bulkLoad?: boolean;
};

/** A sprite as the server described it. */
export type SpriteInfo = {
  readonly id: string;
  readonly name: string;
  readonly organization: string;
  readonly status: z.infer<typeof SpriteStatus>;
  readonly config: SpriteConfig;
  readonly environment: Readonly<Record<string, string>>;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly url: string;
  readonly urlSettings: URLSettings;
  /** version of the program inside the sprite */
  readonly version: string;
  /** digest of the base image */
  readonly environmentVersion: string;
  readonly image: string;
  readonly isolation: 'container' | 'gvisor' | 'microvm' | 'emulated';
  /** how many machines the sprite has had */
  readonly incarnation: number;
  readonly autoCheckpoints: AutoCheckpoints;
  /** what it costs; of single sprites, when it is known */
  readonly storage?: SpriteStorage;
  readonly labels: readonly string[];
  readonly lastRunningAt?: Date;
  readonly lastWarmingAt?: Date;
  readonly lastStartedAt?: Date;
  readonly lastActiveAt?: Date;
  /** idle windows in force */
  readonly idle: { readonly warmAfterS: number | 'never'; readonly coldAfterS: number | 'never' };
  readonly lifecycle: SpriteLifecycle;
};

/** Bytes of the server's disk pool. */
export type SpriteStorage = {
  /** what its disk holds, shared or not */
  readonly usedBytes: number;
  /** what only its disk holds */
  readonly ownBytes: number;
  /** what its checkpoints hold and its disk does not */
  readonly checkpointsBytes: number;
};

/** What a sprite is doing, and why. */
export type SpriteLifecycle = {
  readonly state: z.infer<typeof SpriteStatus>;
  readonly since: Date;
  /** what keeps it awake now */
  readonly heldBy: readonly HeldBy[];
  /** when it goes one state further if nothing happens; absent when that is not known or never */
  readonly sleepsAt?: Date;
  readonly lastWake?: { readonly kind: 'warm' | 'cold'; readonly ms: number; readonly cause: string };
  readonly lastSleep?: { readonly kind: 'warm' | 'cold'; readonly cause: string };
};

/** Something that keeps a sprite awake. */
export type HeldBy = {
  readonly kind: 'connection' | 'request' | 'operation' | 'session' | 'task' | 'service' | 'unknown';
  readonly label: string;
  readonly id?: string;
  /** when it ends by itself */
  readonly until?: Date;
};

/** Something that happened to a sprite. */
export type SpriteEvent = {
  /** counts up from 1 in each sprite */
  readonly id: number;
  readonly time: Date;
  readonly type: string;
  readonly message: string;
  readonly details: Readonly<Record<string, string | number | boolean>>;
};

export type EventsOptions = CallOptions & {
  /** stay, and get what happens */
  readonly follow?: boolean;
  /** only what came after the event of this id, or from this time on */
  readonly since?: number | Date;
  /** most past events, the newest ones; default 100 */
  readonly limit?: number;
};

export type SleepOptions = CallOptions & {
  /** `warm` keeps programs frozen in memory, `cold` ends them; default `warm` */
  readonly to?: 'warm' | 'cold';
};

export type SpriteList = {
  readonly sprites: readonly SpriteInfo[];
  readonly hasMore: boolean;
  readonly nextContinuationToken?: string;
  readonly organizationName: string;
  readonly running: number;
  readonly warm: number;
  readonly cold: number;
  readonly runningLimit: number;
  readonly warmLimit: number;
};

export type OrganizationCounters = {
  readonly name: string;
  readonly running: number;
  readonly warm: number;
  readonly cold: number;
  readonly runningLimit: number;
  readonly warmLimit: number;
};

/** A change of a sprite, its deletion, or a sign of life of the stream. */
export type SpriteStateEvent = {
  readonly type?: 'heartbeat' | 'deleted';
  readonly name?: string;
  readonly status?: z.infer<typeof SpriteStatus>;
  readonly runningVersion?: string;
  readonly lastRunningAt?: Date;
  readonly lastWarmingAt?: Date;
  readonly timestamp: Date;
  readonly organization: OrganizationCounters;
};

export type RestartSpriteResult = {
  readonly spriteName: string;
  readonly machineId: string;
  readonly message: string;
};

export type SpriteCheck = {
  readonly spriteName: string;
  readonly spriteId: string;
  readonly status: 'ok' | 'unhealthy';
  readonly reason?: string;
  readonly checkedAt: Date;
  /** seconds the check took */
  readonly elapsed?: number;
};

/** A running session of a sprite. */
export type Session = {
  readonly id: string;
  readonly command: string;
  readonly workdir: string;
  readonly created: Date;
  readonly bytesPerSecond: number;
  readonly isActive: boolean;
  readonly lastActivity?: Date;
  readonly tty: boolean;
};

export type SessionKillEvent = {
  readonly type: 'signal' | 'timeout' | 'exited' | 'killed' | 'error' | 'complete';
  readonly message?: string;
  readonly signal?: string;
  readonly pid?: number;
  readonly exitCode?: number;
};

export type DiffOptions = CallOptions & {
  /** only this path and what is below it */
  readonly path?: string;
};

/** What a disk knows of a file. */
export type FileFacts = {
  readonly kind: FileKind;
  /** bytes of a file; 0 for everything else */
  readonly size: number;
  /** four octal digits */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Date;
  /** where a symlink leads */
  readonly target?: string;
};

/** How one path differs: `changed` is about content, `retyped` about the kind, `metadata` about anything else. */
export type PathChange = {
  readonly change: ChangeKind;
  readonly path: string;
  /** the exact path when it is not UTF-8 */
  readonly pathBytes?: Uint8Array;
  readonly before?: FileFacts;
  readonly after?: FileFacts;
};

/** How many paths differ in which way, and the sizes of all files among them. */
export type DiffTotals = Readonly<Record<ChangeKind, number>> & {
  readonly bytesBefore: number;
  readonly bytesAfter: number;
};

export type ImportSpriteOptions = CallOptions & {
  /** name of the new sprite; default that of the exported one */
  readonly name?: string;
  /** image to use although the sprite was exported with another */
  readonly image?: string;
};

/** What the server says while it makes or restores a checkpoint; the last one is `complete` or `error`. */
export type StreamMessage = {
  readonly type: 'info' | 'complete' | 'error';
  readonly data?: string;
  readonly error?: string;
  readonly time: Date;
  /** on `error`: machine-readable code, such as `wake_failed` */
  readonly errorCode?: string;
  /** on `complete`: id of the checkpoint made or restored */
  readonly checkpointId?: string;
};

export type SpawnOptions = CallOptions & {
  /** working directory; default the home of user `sprite` */
  readonly cwd?: string;
  /** variables over the sprite's own environment */
  readonly env?: Readonly<Record<string, string>>;
  /** run under a pseudo-terminal; output comes on `stdout` alone */
  readonly tty?: boolean;
  readonly rows?: number;
  readonly cols?: number;
  /** false gives the command an empty input and needs no `stdin.end()`; default true */
  readonly stdin?: boolean;
  /** keep the session when the connection ends */
  readonly detachable?: boolean;
  /** how long the command may run on without a connection, such as `10s` */
  readonly maxRunAfterDisconnect?: string;
  /** attach to this session instead of starting a command */
  readonly sessionId?: string;
  /** with `sessionId`: byte offset of the session's output to resume at */
  readonly cursor?: number;
  /** use a kept control connection; default that of the client */
  readonly controlMode?: boolean;
  /** most undelivered bytes held per stream before the command is slowed down; default 1 MiB */
  readonly highWaterMark?: number;
};

/** How output is returned: text in an encoding, or bytes. */
export type OutputEncoding =
  | 'utf8'
  | 'utf-8'
  | 'latin1'
  | 'ascii'
  | 'hex'
  | 'base64'
  | 'base64url'
  | 'buffer';

export type ExecOptions<E extends OutputEncoding = OutputEncoding> = SpawnOptions & {
  /** default `utf8` */
  readonly encoding?: E;
  /** most bytes kept of each output stream; above it the command is killed; default 10 MiB */
  readonly maxBuffer?: number;
  /** what the command reads; default nothing */
  readonly input?: string | Uint8Array;
};

export type ExecResult<T = string> = {
  readonly stdout: T;
  readonly stderr: T;
  readonly exitCode: number;
};

/** What `encoding` makes of output. */
export type Output<E extends OutputEncoding> = E extends 'buffer' ? Uint8Array : string;

export type HTTPExecOptions<E extends OutputEncoding = OutputEncoding> = Pick<
  ExecOptions<E>,
  'cwd' | 'env' | 'encoding' | 'maxBuffer' | 'input' | 'signal'
> & {
  /** time limit in `ms`; default none */
  readonly timeout?: number;
};

/** A text message of a session: `session_info`, `port_opened`, `gap`, … */
export type SessionMessage = { readonly type: string } & Readonly<Record<string, unknown>>;
