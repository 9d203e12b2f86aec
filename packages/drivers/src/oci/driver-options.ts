import type { Clock } from '@sprites/core';
import type { AgentRuntime } from './agent-runtime.ts';
import type { LimitsView } from './limits-view.ts';
import type { RuntimeName } from './runtime.ts';

export type OciDriverOptions = {
  /** directory for this server's running machines, see `runDirOf` */
  readonly runDir: string;
  readonly agent: AgentRuntime;
  /** `runc` unless given */
  readonly runtime?: RuntimeName;
  /** version of this server, told to the agent */
  readonly version: string;
  readonly clock: Clock;
  /** how long one command of the runtime may take before it is killed, in `ms`; 30 seconds unless given */
  readonly commandTimeoutMs?: number;
  /** further members of the facts each agent reads, see the agent's settings */
  readonly agentSettings?: Readonly<Record<string, unknown>>;
  /** what shows machines their own limits; without it they see the host's */
  readonly view?: Pick<LimitsView, 'mounts'>;
  /** host id of slot 0's root; slot n has the 65536 ids from `uidBase + n * 65536` */
  readonly uidBase?: number;
  /** false when nothing will be started, only released: then host and runtime need not be fit for it */
  readonly trial?: boolean;
};
