import { defineEndpoint, type Endpoint } from '../endpoint.ts';
import { EventsQuery, SpriteEvent } from '../event.ts';
import { aboutSprite } from './error-codes.ts';

/** What happened to sprites; beyond the specification. */
export const eventsEndpoints = {
  listEvents: defineEndpoint({
    id: 'listEvents',
    method: 'GET',
    path: '/v1/sprites/{name}/events',
    tag: 'events',
    summary: 'What happened to a sprite and why, oldest first; never wakes it',
    description:
      'A line per event. With `follow` the stream stays open, with an empty line from time to time, until the sprite is deleted.',
    query: EventsQuery,
    answers: [{ type: 'ndjson', status: 200, line: SpriteEvent }],
    errors: ['invalid_request', ...aboutSprite],
    authenticated: true,
    inside: true,
  }),
} as const satisfies Record<string, Endpoint>;
