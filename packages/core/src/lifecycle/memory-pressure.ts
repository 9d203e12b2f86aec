import type { HostMemory } from '../pool/machine-pool.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Settings } from '../settings.ts';
import type { Lifecycle } from './lifecycle.ts';

/** Time between two looks at the host's memory, in `ms`. */
const lookEveryMs = 2000;

export type PressureDeps = {
  readonly lifecycle: Pick<Lifecycle, 'relieve'>;
  /** memory of the host, in bytes */
  readonly memory: () => Promise<HostMemory>;
  readonly settings: Pick<Settings, 'memoryReserveBytes'>;
  readonly clock: Clock;
  readonly log: Log;
};

/** Keeps the host's memory from running out until the signal aborts: warm sprites are stopped, longest-warm first. */
export async function watchMemory(deps: PressureDeps, signal: AbortSignal): Promise<void> {
  const { clock, log, settings } = deps;
  if (settings.memoryReserveBytes === 0) return;
  while (!signal.aborted) {
    await clock.sleep(lookEveryMs, signal).catch(() => {
      // closing
    });
    await relievePressure(deps, signal).catch((error: unknown) => {
      if (!signal.aborted) log.error({ err: error }, 'a warm sprite could not be stopped to free memory');
    });
  }
}

/** Stops warm sprites until the host has its reserve again or none is warm; resolves to how many it stopped. */
export async function relievePressure(deps: PressureDeps, signal: AbortSignal): Promise<number> {
  const { lifecycle, memory, settings } = deps;
  let stopped = 0;
  while (!signal.aborted && (await memory()).availableBytes < settings.memoryReserveBytes) {
    if (!(await lifecycle.relieve('the host is short of memory'))) break;
    stopped++;
  }
  return stopped;
}
