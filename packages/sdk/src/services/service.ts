import type { CallOptions } from '../options.ts';

/** A supervised process of a sprite. */
export type Service = {
  readonly name: string;
  /** the program, a path or a name looked up in PATH */
  readonly cmd: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** working directory; the user's home without one */
  readonly dir?: string;
  /** services that are started before this one */
  readonly needs: readonly string[];
  /** port that the sprite's URL leads to */
  readonly httpPort?: number;
  /** account it runs as; `sprite` without one */
  readonly user?: string;
};

export type ServiceState = {
  readonly name: string;
  readonly status: 'stopped' | 'starting' | 'running' | 'stopping' | 'failed';
  readonly pid?: number;
  /** RFC 3339 */
  readonly startedAt?: string;
  /** why it does not run; empty when nothing is wrong */
  readonly error: string;
  readonly restartCount: number;
  /** when it is started again after it ended by itself, RFC 3339 */
  readonly nextRestartAt?: string;
};

export type ServiceWithState = Service & { readonly state: ServiceState };

/** What a service is to be. */
export type ServiceRequest = Pick<Service, 'cmd'> & Partial<Omit<Service, 'name' | 'cmd'>>;

export type ServiceLogsOptions = CallOptions & {
  /** only the last so many lines; default all */
  readonly lines?: number | undefined;
  /** how long to follow new output, such as `30s`; default not at all */
  readonly duration?: string | undefined;
};

export type ServiceLogEvent = {
  readonly type: 'stdout' | 'stderr' | 'exit' | 'error' | 'complete' | 'started' | 'stopping' | 'stopped';
  readonly data?: string;
  readonly exitCode?: number;
  /** Unix time in `ms` */
  readonly timestamp: number;
  /** paths in the sprite, on `complete` */
  readonly logFiles?: Readonly<Record<string, string>>;
};

/** A hold that programs in the sprite put on it, so that it does not sleep. */
export type Task = { readonly name: string; readonly startedAt: Date; readonly expiresAt: Date };
