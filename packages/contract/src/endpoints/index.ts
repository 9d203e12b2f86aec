import type { Endpoint } from '../endpoint.ts';
import { checkpointsEndpoints } from './checkpoints.ts';
import { eventsEndpoints } from './events.ts';
import { execEndpoints } from './exec.ts';
import { filesEndpoints } from './files.ts';
import { organizationEndpoints } from './organization.ts';
import { policyEndpoints } from './policy.ts';
import { portsEndpoints } from './ports.ts';
import { serverEndpoints } from './server.ts';
import { servicesEndpoints } from './services.ts';
import { spritesEndpoints } from './sprites.ts';
import { tasksEndpoints } from './tasks.ts';
import { transferEndpoints } from './transfer.ts';

/** Every endpoint of the public API. Section numbers in the comments are those of the wire specification. */
export const endpoints = {
  ...spritesEndpoints,
  ...execEndpoints,
  ...servicesEndpoints,
  ...tasksEndpoints,
  ...checkpointsEndpoints,
  ...transferEndpoints,
  ...eventsEndpoints,
  ...filesEndpoints,
  ...policyEndpoints,
  ...organizationEndpoints,
  ...portsEndpoints,
  ...serverEndpoints,
} as const satisfies Record<string, Endpoint>;

export type EndpointId = keyof typeof endpoints;
