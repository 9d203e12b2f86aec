import { z } from 'zod';

/** Longest idle window, in seconds: a year. More is `never`. */
const mostIdleS = 31_536_000;

const Window = z.union([z.int().min(1).max(mostIdleS), z.literal('never')], {
  error: `must be a whole number of seconds from 1 to ${mostIdleS}, or "never"`,
});

/** Idle windows as they are set; `null` goes back to the server's. */
export const IdleSettings = z
  .strictObject({
    warm_after_s: Window.nullable().optional().meta({
      description: 'Idle seconds until it is frozen in memory, or `never`; `null` for the server’s',
    }),
    cold_after_s: Window.nullable().optional().meta({
      description: 'Seconds in memory until it is stopped, or `never`; `null` for the server’s',
    }),
  })
  .meta({ id: 'IdleSettings' });

/** Idle windows in force. */
export const Idle = z.object({ warm_after_s: Window, cold_after_s: Window }).meta({ id: 'Idle' });

const Time = z.string().meta({ format: 'date-time' });

/** Something that keeps a sprite awake. */
export const HeldBy = z
  .object({
    kind: z.enum(['connection', 'request', 'operation', 'session', 'task', 'service', 'unknown']),
    label: z.string().meta({ description: 'What it is: a command line, a task’s name, an endpoint' }),
    id: z.string().optional(),
    until: Time.optional().meta({ description: 'When it ends by itself' }),
  })
  .meta({ id: 'HeldBy' });
export type HeldBy = z.infer<typeof HeldBy>;

/** What a sprite is doing, and why. */
export const SpriteLifecycle = z
  .object({
    state: z.enum(['cold', 'warm', 'running']),
    since: Time,
    held_by: z.array(HeldBy).meta({ description: 'What keeps it awake now; empty while it sleeps' }),
    sleeps_at: Time.nullable().meta({
      description:
        'When it goes one state further if nothing happens: from running to warm, from warm to cold. `null` when that is not known or never',
    }),
    last_wake: z
      .object({ kind: z.enum(['warm', 'cold']), ms: z.number(), cause: z.string() })
      .nullable()
      .meta({ description: 'From which state it woke last, how long that took, and what for' }),
    last_sleep: z
      .object({ kind: z.enum(['warm', 'cold']), cause: z.string() })
      .nullable()
      .meta({ description: 'To which state it went last, and why' }),
  })
  .meta({ id: 'SpriteLifecycle' });
export type SpriteLifecycle = z.infer<typeof SpriteLifecycle>;

export const SleepBody = z
  .strictObject({
    to: z
      .enum(['warm', 'cold'])
      .default('warm')
      .meta({ description: '`warm` keeps programs frozen in memory, `cold` ends them' }),
  })
  .meta({ id: 'SleepBody' });
