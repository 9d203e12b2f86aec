import type { ServiceDefinition } from './definition.ts';

export type ServiceStatus = 'stopped' | 'starting' | 'running' | 'stopping' | 'failed';

/** How a service is doing. Spec section 11.1. */
export type ServiceState = {
  readonly name: string;
  readonly status: ServiceStatus;
  readonly pid?: number;
  /** RFC 3339 */
  readonly started_at?: string;
  readonly restart_count: number;
  /** when it is started again after it ended by itself, RFC 3339 */
  readonly next_restart_at: string | null;
  /** why it is not running; empty when nothing is wrong */
  readonly error: string;
};

/** A service as the API shows it. */
export type ServiceEntry = { readonly name: string } & Omit<ServiceDefinition, 'http_port'> & {
    readonly http_port: number | null;
    readonly state: ServiceState;
  };

/** Where a service's output is kept; there is one file for both streams. */
export type ServiceLogFiles = { readonly combined: string; readonly stdout: string; readonly stderr: string };

/** One line of a service's stream; `timestamp` is in Unix `ms`. Spec section 11.11. */
export type ServiceEvent = { readonly timestamp: number } & (
  | { readonly type: 'started' | 'stopping' }
  | { readonly type: 'stdout' | 'stderr' | 'error'; readonly data: string }
  | { readonly type: 'exit'; readonly exit_code: number }
  | { readonly type: 'stopped'; readonly exit_code?: number }
  | { readonly type: 'complete'; readonly log_files: ServiceLogFiles }
);
