import type { HeldBy, SpriteLifecycle } from '@sprites/sdk';

/** Whether a sprite is awake or asleep, why, and what comes next, in one line for people. */
export function describeLife(life: SpriteLifecycle): string {
  const since = formatTime(life.since);
  switch (life.state) {
    case 'running':
      return describeAwake(life, since);
    case 'warm': {
      const why = life.lastSleep === undefined ? '' : ` (${life.lastSleep.cause})`;
      const next =
        life.sleepsAt === undefined ? 'stays in memory' : `goes cold at ${formatTime(life.sleepsAt)}`;
      return `asleep (warm) since ${since}${why}, ${next}`;
    }
    case 'cold':
      return `asleep (cold) since ${since}${life.lastSleep === undefined ? '' : ` (${life.lastSleep.cause})`}`;
    default:
      return life.state satisfies never;
  }
}

/** How the last wake went, or undefined when there was none. */
export function describeWake({ lastWake }: SpriteLifecycle): string | undefined {
  return lastWake && `from ${lastWake.kind} in ${Math.round(lastWake.ms)} ms, for ${lastWake.cause}`;
}

function describeAwake({ heldBy, sleepsAt }: SpriteLifecycle, since: string): string {
  const next = sleepsAt === undefined ? undefined : `sleeps at ${formatTime(sleepsAt)}`;
  if (heldBy.length > 0)
    return [`awake: ${heldBy.map(describeHold).join(', ')}`, next].filter(Boolean).join('; ');
  return `awake since ${since}, idle, ${next ?? 'never sleeps'}`;
}

function describeHold({ kind, id, label, until }: HeldBy): string {
  const name = kind === 'session' && id !== undefined ? `${id} ` : '';
  // a session's time moves on with each of its outputs, and silence ends when the agent is asked again
  const end =
    until === undefined || kind === 'session' || kind === 'unknown' ? '' : ` until ${formatTime(until)}`;
  return kind === 'unknown' ? label : `${kind} ${name}\`${label}\`${end}`;
}

/** Local time: of today without the day. */
function formatTime(time: Date): string {
  const clock = time.toTimeString().slice(0, 8);
  if (time.toDateString() === new Date().toDateString()) return clock;
  return `${time.toLocaleDateString('sv-SE')} ${clock}`;
}
