import { z } from 'zod';

/** What can happen to a sprite. A reader skips types it does not know. */
export const eventTypes = [
  'created',
  'woke',
  'wake_failed',
  'slept',
  'crashed',
  'checkpoint',
  'restored',
  'restore_failed',
  'forked',
  'upgraded',
  'upgrade_failed',
  'warning',
] as const;
export type EventType = (typeof eventTypes)[number];

/** Events kept per sprite; the oldest are forgotten first. */
export const mostEvents = 1000;

/** Most events one answer holds before it follows. */
const mostListed = 1000;
const defaultListed = 100;

/** Something that happened to a sprite. */
export const SpriteEvent = z
  .object({
    id: z.int().meta({ description: 'Counts up from 1 in each sprite' }),
    time: z.string().meta({ format: 'date-time' }),
    type: z.string().meta({ description: `One of ${eventTypes.join(', ')}; more may come` }),
    message: z.string().meta({ description: 'What happened and why, in words' }),
    details: z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
      .meta({ description: 'The facts, such as `cause`, `from`, `to`, `ms`, `checkpoint`' }),
  })
  .meta({ id: 'SpriteEvent' });
export type SpriteEvent = z.infer<typeof SpriteEvent>;

export const EventsQuery = z.object({
  follow: z
    .enum(['true', 'false', '1', '0'])
    .optional()
    .meta({ description: '`true` keeps the stream open and adds what happens' }),
  since: z
    .string()
    .refine((text) => /^\d{1,15}$/.test(text) || z.iso.datetime({ offset: true }).safeParse(text).success, {
      message: 'must be the id of an event or an RFC 3339 time',
    })
    .optional()
    .meta({ description: 'Only what came after the event of this id, or from this time on' }),
  limit: z
    .string()
    .regex(/^\d{1,6}$/, 'must be a whole number')
    .transform((text) => Math.min(Math.max(Number(text), 1), mostListed))
    .default(defaultListed)
    .meta({ description: 'Most past events, the newest ones; default 100, at most 1000' }),
});
