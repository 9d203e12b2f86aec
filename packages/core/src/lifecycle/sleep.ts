import { idleAt, windowsOf } from './idle.ts';
import type { LifecycleDeps } from './lifecycle.ts';
import type { Machine, Machines } from './machines.ts';

/** Time between two looks at which sprites have been idle for long enough, in `ms`. */
const lookEveryMs = 500;
/** How long an agent may take to say whether it is busy, in `ms`. */
const askTimeoutMs = 2000;

type SleepParts = {
  readonly machines: Machines;
  /** runs work that has the sprite to itself */
  readonly take: <T>(spriteId: string, work: () => Promise<T>) => Promise<T>;
  readonly inBackground: (what: string, work: () => Promise<unknown>) => void;
  readonly signal: AbortSignal;
};

/** Puts sprites to sleep that have been idle for long enough. */
export class Sleep {
  readonly #deps: LifecycleDeps;
  readonly #parts: SleepParts;
  /** sprites that fall asleep at this moment */
  readonly #falling = new Set<string>();

  constructor(deps: LifecycleDeps, parts: SleepParts) {
    this.#deps = deps;
    this.#parts = parts;
  }

  /** Looks for idle sprites until the signal aborts. */
  async run(): Promise<void> {
    const { signal, inBackground } = this.#parts;
    while (!signal.aborted) {
      await this.#deps.clock.sleep(lookEveryMs, signal);
      inBackground('putting idle sprites to sleep', () => this.tick());
    }
  }

  /** Puts every sprite to sleep that has been idle for long enough; resolves when they are. */
  async tick(): Promise<void> {
    await Promise.all(this.#parts.machines.all().map((machine) => this.#look(machine)));
  }

  /** Freezes the sprite although it may be busy; its connections are closed. The caller has it to itself. */
  async freezeNow(spriteId: string, cause: string): Promise<void> {
    const { machines } = this.#parts;
    const machine = machines.get(spriteId);
    if (machine === undefined || machine.state === 'warm') return;
    await machines.freeze(machine, cause, true);
    this.#reclaim(spriteId);
  }

  /** Stops the sprite that has been warm for the longest; false when none is warm. */
  async stopLongestWarm(cause: string): Promise<boolean> {
    const warm = this.#parts.machines.all().filter(({ state }) => state === 'warm');
    const [longest] = warm.toSorted((a, b) => a.sinceMs - b.sinceMs);
    if (longest === undefined) return false;
    await this.#goCold(longest, cause);
    return true;
  }

  async #look(machine: Machine): Promise<void> {
    const { id } = machine.record;
    if (this.#falling.has(id)) return;
    this.#falling.add(id);
    try {
      const { coldAfterMs } = windowsOf(this.#deps.settings, machine.record);
      if (machine.state === 'running' && !isBusy(this.#deps, this.#parts.machines, machine))
        await this.#fallAsleep(machine);
      else if (machine.state === 'warm' && machine.sinceMs + coldAfterMs <= this.#deps.clock.now())
        await this.#goCold(machine, `warm for ${inWords(coldAfterMs)}`);
    } finally {
      this.#falling.delete(id);
    }
  }

  async #fallAsleep(machine: Machine): Promise<void> {
    const { id, name } = machine.record;
    const { machines, take } = this.#parts;
    if (!(await this.#ask(id))) return;
    await take(id, async () => {
      // while it was asked and waited for its turn, anything may have happened; nothing can between here and `freezing`
      if (machines.get(id) !== machine || machine.state !== 'running') return;
      if (isBusy(this.#deps, machines, machine)) return;
      const { warmAfterMs } = windowsOf(this.#deps.settings, machine.record);
      try {
        await machines.freeze(machine, `idle for ${inWords(warmAfterMs)}`, false);
        this.#reclaim(id);
      } catch (error) {
        if (this.#parts.signal.aborted) return;
        // it is tried again one window later
        machines.holds.touch(id);
        this.#deps.log.warn({ err: error, sprite: name }, 'an idle sprite could not be frozen');
      }
    });
  }

  /** Asks the agent itself whether it is busy: its reports may be seconds old. False when it does not say. */
  async #ask(spriteId: string): Promise<boolean> {
    const { machines, signal } = this.#parts;
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(askTimeoutMs)]);
      machines.holds.report(spriteId, await this.#deps.agents.activity(spriteId, limit));
      return true;
    } catch {
      // whatever the reason is: a sprite of which nobody knows that it is idle stays awake
      machines.holds.reportSilence(spriteId);
      return false;
    }
  }

  /** Nobody waits for it; a wake meanwhile gets back what was taken. */
  #reclaim(spriteId: string): void {
    if (!this.#deps.settings.reclaimWarm) return;
    this.#parts.inBackground('moving memory of a warm sprite to swap', () =>
      this.#deps.driver.reclaim(spriteId),
    );
  }

  async #goCold(machine: Machine, cause: string): Promise<void> {
    const { id } = machine.record;
    const { machines, take } = this.#parts;
    await take(id, async () => {
      if (machines.get(id) !== machine || machine.state !== 'warm') return;
      await machines.stop(id, cause);
    });
  }
}

/** True while a running sprite must not fall asleep yet. */
export function isBusy(
  { settings, clock }: Pick<LifecycleDeps, 'settings' | 'clock'>,
  machines: Machines,
  machine: Machine,
): boolean {
  const windows = windowsOf(settings, machine.record);
  const busyness = machines.holds.read(machine.record.id, windows.warmAfterMs);
  return idleAt(busyness, windows) > clock.now();
}

function inWords(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
