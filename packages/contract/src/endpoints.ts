import { z } from 'zod';
import { Checkpoint, CheckpointLine, CheckpointListQuery, CreateCheckpoint } from './checkpoint.ts';
import { defineEndpoint, type Endpoint } from './endpoint.ts';
import {
  CheckAnswer,
  CreatedToken,
  CreateSprite,
  CreateToken,
  HostInfo,
  KillLine,
  KillQuery,
  ListQuery,
  Organization,
  RestartAnswer,
  SessionListAnswer,
  Sprite,
  SpriteList,
  UpdateSprite,
  UpgradeBody,
  WatchLine,
} from './sprite.ts';

const aboutSprite = ['unauthorized', 'sprite_not_found'] as const;
const wakes = [...aboutSprite, 'wake_failed', 'wake_timeout', 'agent_unreachable'] as const;

const cmdQuery = {
  cmd: z.array(z.string()).optional().meta({ description: 'Program and arguments, in order' }),
  path: z.string().optional().meta({ description: 'Executable; default the first `cmd`' }),
  dir: z.string().optional().meta({ description: 'Working directory; default `/home/sprite`' }),
  env: z.array(z.string()).optional().meta({ description: '`KEY=VALUE` over the base environment' }),
  stdin: z.string().optional().meta({ description: '`true` when input will be sent' }),
};

const sessionQuery = {
  ...cmdQuery,
  tty: z.string().optional().meta({ description: '`true` for a pseudo-terminal' }),
  rows: z.string().optional().meta({ description: 'Terminal rows; default 24' }),
  cols: z.string().optional().meta({ description: 'Terminal columns; default 80' }),
  detachable: z.string().optional().meta({ description: '`true` keeps the session after a disconnect' }),
  max_run_after_disconnect: z
    .string()
    .optional()
    .meta({ description: 'Duration; default 10s, TTY for ever' }),
};

/** Every endpoint of the public API. Section numbers in the comments are those of the wire specification. */
export const endpoints = {
  /** 4.2 */
  createSprite: defineEndpoint({
    id: 'createSprite',
    method: 'POST',
    path: '/v1/sprites',
    tag: 'sprites',
    summary: 'Create a sprite',
    description: 'The sprite is cold until its first use. It is durable when the answer arrives.',
    body: CreateSprite,
    answers: [{ type: 'json', status: 201, schema: Sprite }],
    errors: [
      'invalid_request',
      'unknown_image',
      'unauthorized',
      'sprite_already_exists',
      'concurrent_sprite_limit_exceeded',
      'unavailable',
      'out_of_space',
    ],
    authenticated: true,
  }),
  /** 4.3 and 4.4 */
  listSprites: defineEndpoint({
    id: 'listSprites',
    method: 'GET',
    path: '/v1/sprites',
    tag: 'sprites',
    summary: 'List sprites by name, or watch them',
    description:
      'With `Accept: application/x-ndjson` the answer is an open stream: a line per sprite, then a line per change.',
    query: ListQuery,
    answers: [
      { type: 'json', status: 200, schema: SpriteList },
      { type: 'ndjson', status: 200, line: WatchLine },
    ],
    errors: ['invalid_request', 'unauthorized'],
    authenticated: true,
  }),
  /** 4.5 */
  getSprite: defineEndpoint({
    id: 'getSprite',
    method: 'GET',
    path: '/v1/sprites/{name}',
    tag: 'sprites',
    summary: 'Get a sprite; never wakes it',
    answers: [{ type: 'json', status: 200, schema: Sprite }],
    errors: aboutSprite,
    authenticated: true,
  }),
  /** 4.6 */
  updateSprite: defineEndpoint({
    id: 'updateSprite',
    method: 'PUT',
    path: '/v1/sprites/{name}',
    tag: 'sprites',
    summary: 'Change URL settings or labels; what is left out stays',
    body: UpdateSprite,
    answers: [{ type: 'json', status: 200, schema: Sprite }],
    errors: ['invalid_request', ...aboutSprite],
    authenticated: true,
  }),
  /** 4.6, alias */
  patchSprite: defineEndpoint({
    id: 'patchSprite',
    method: 'PATCH',
    path: '/v1/sprites/{name}',
    tag: 'sprites',
    summary: 'The same as PUT',
    body: UpdateSprite,
    answers: [{ type: 'json', status: 200, schema: Sprite }],
    errors: ['invalid_request', ...aboutSprite],
    authenticated: true,
  }),
  /** 4.7 */
  deleteSprite: defineEndpoint({
    id: 'deleteSprite',
    method: 'DELETE',
    path: '/v1/sprites/{name}',
    tag: 'sprites',
    summary: 'Delete a sprite with everything in it',
    answers: [{ type: 'empty', status: 204 }],
    errors: aboutSprite,
    authenticated: true,
  }),
  /** 4.8 */
  upgradeSprite: defineEndpoint({
    id: 'upgradeSprite',
    method: 'POST',
    path: '/v1/sprites/{name}/upgrade',
    tag: 'sprites',
    summary: 'Move a sprite to the newest build of its image and the newest agent',
    description: 'Files stay; a running sprite is restarted when there is something newer.',
    body: UpgradeBody,
    answers: [{ type: 'empty', status: 204 }],
    errors: ['invalid_request', 'unknown_image', ...wakes],
    authenticated: true,
  }),
  /** 4.9 */
  restartSprite: defineEndpoint({
    id: 'restartSprite',
    method: 'POST',
    path: '/v1/sprites/{name}/restart',
    tag: 'sprites',
    summary: 'Stop the machine of a sprite and start a new one',
    answers: [{ type: 'json', status: 202, schema: RestartAnswer }],
    errors: aboutSprite,
    authenticated: true,
  }),
  /** 4.10 */
  checkSprite: defineEndpoint({
    id: 'checkSprite',
    method: 'GET',
    path: '/v1/sprites/{name}/check',
    tag: 'sprites',
    summary: 'Ask the program inside the sprite for its health; wakes the sprite',
    answers: [{ type: 'json', status: 200, schema: CheckAnswer }],
    errors: aboutSprite,
    authenticated: true,
  }),
  /** 5 */
  exec: defineEndpoint({
    id: 'exec',
    method: 'GET',
    path: '/v1/sprites/{name}/exec',
    tag: 'exec',
    summary: 'Run a command over a WebSocket; without an upgrade, list the running sessions',
    query: z.object({ ...sessionQuery, id: z.string().optional(), session_id: z.string().optional() }),
    answers: [{ type: 'websocket' }, { type: 'json', status: 200, schema: SessionListAnswer }],
    errors: ['invalid_request', 'session_not_found', ...wakes],
    authenticated: true,
  }),
  /** 6.2 */
  headExec: defineEndpoint({
    id: 'headExec',
    method: 'HEAD',
    path: '/v1/sprites/{name}/exec',
    tag: 'exec',
    summary: 'Learn `Sprite-Version`; never wakes the sprite',
    answers: [{ type: 'empty', status: 200 }],
    errors: aboutSprite,
    authenticated: true,
  }),
  /** 7 */
  httpExec: defineEndpoint({
    id: 'httpExec',
    method: 'POST',
    path: '/v1/sprites/{name}/exec',
    tag: 'exec',
    summary: 'Run a command over plain HTTP; the body is its input',
    query: z.object(cmdQuery),
    answers: [{ type: 'bytes', status: 200, contentType: 'application/octet-stream' }],
    errors: ['invalid_request', ...wakes],
    authenticated: true,
  }),
  /** 5.9 */
  attach: defineEndpoint({
    id: 'attach',
    method: 'GET',
    path: '/v1/sprites/{name}/exec/{session_id}',
    tag: 'exec',
    summary: 'Attach to a running session over a WebSocket',
    query: z.object({
      cursor: z.string().optional().meta({ description: 'Byte offset of the output to resume at' }),
      stdin: z.string().optional(),
    }),
    answers: [{ type: 'websocket' }],
    errors: ['invalid_request', 'session_not_found', 'upgrade_required', ...wakes],
    authenticated: true,
  }),
  /** 6.3 */
  killSession: defineEndpoint({
    id: 'killSession',
    method: 'POST',
    path: '/v1/sprites/{name}/exec/{session_id}/kill',
    tag: 'exec',
    summary: 'Signal a session and wait for its end',
    query: KillQuery,
    answers: [{ type: 'ndjson', status: 200, line: KillLine }],
    errors: ['invalid_request', 'invalid_signal', 'session_not_found', 'session_exited', ...wakes],
    authenticated: true,
  }),
  /** 8 */
  control: defineEndpoint({
    id: 'control',
    method: 'GET',
    path: '/v1/sprites/{name}/control',
    tag: 'exec',
    summary: 'Run commands one after the other over one WebSocket',
    answers: [{ type: 'websocket' }],
    errors: ['upgrade_required', 'not_found', ...wakes],
    authenticated: true,
  }),
  /** 13.2 */
  createCheckpoint: defineEndpoint({
    id: 'createCheckpoint',
    method: 'POST',
    path: '/v1/sprites/{name}/checkpoint',
    tag: 'checkpoints',
    summary: 'Save the disk of a sprite while everything in it goes on',
    body: CreateCheckpoint,
    answers: [{ type: 'ndjson', status: 200, line: CheckpointLine }],
    errors: ['invalid_request', 'operation_in_progress', ...aboutSprite],
    authenticated: true,
  }),
  /** 13.3 */
  listCheckpoints: defineEndpoint({
    id: 'listCheckpoints',
    method: 'GET',
    path: '/v1/sprites/{name}/checkpoints',
    tag: 'checkpoints',
    summary: 'The live disk as `Current`, then the checkpoints, newest first; never wakes the sprite',
    query: CheckpointListQuery,
    answers: [{ type: 'json', status: 200, schema: z.array(Checkpoint) }],
    errors: aboutSprite,
    authenticated: true,
  }),
  /** 13.4 */
  getCheckpoint: defineEndpoint({
    id: 'getCheckpoint',
    method: 'GET',
    path: '/v1/sprites/{name}/checkpoints/{checkpoint}',
    tag: 'checkpoints',
    summary: 'Get a checkpoint',
    answers: [{ type: 'json', status: 200, schema: Checkpoint }],
    errors: ['checkpoint_not_found', ...aboutSprite],
    authenticated: true,
  }),
  /** 13.5 */
  restoreCheckpoint: defineEndpoint({
    id: 'restoreCheckpoint',
    method: 'POST',
    path: '/v1/sprites/{name}/checkpoints/{checkpoint}/restore',
    tag: 'checkpoints',
    summary: 'Put a saved disk in place of the present one',
    description:
      'The present disk is saved first. When the sprite does not come up with the saved disk, the present one is put back and the stream ends with an `error` line.',
    answers: [{ type: 'ndjson', status: 200, line: CheckpointLine }],
    errors: [
      'checkpoint_not_found',
      'checkpoint_damaged',
      'operation_in_progress',
      'out_of_space',
      ...aboutSprite,
    ],
    authenticated: true,
  }),
  /** 13.6 */
  deleteCheckpoint: defineEndpoint({
    id: 'deleteCheckpoint',
    method: 'DELETE',
    path: '/v1/sprites/{name}/checkpoints/{checkpoint}',
    tag: 'checkpoints',
    summary: 'Delete a checkpoint; not the one the sprite is based on',
    answers: [{ type: 'empty', status: 204 }],
    errors: ['checkpoint_not_found', 'checkpoint_in_use', 'operation_in_progress', ...aboutSprite],
    authenticated: true,
  }),
  /** 14.1 */
  createToken: defineEndpoint({
    id: 'createToken',
    method: 'POST',
    path: '/v1/organizations/{org}/tokens',
    tag: 'organisation',
    summary: 'Exchange an operator-configured credential (`Authorization: FlyV1 …`) for a token',
    body: CreateToken,
    answers: [{ type: 'json', status: 201, schema: CreatedToken }],
    errors: ['invalid_request', 'unauthorized', 'forbidden'],
    authenticated: false,
  }),
  /** 14.2 */
  getOrganization: defineEndpoint({
    id: 'getOrganization',
    method: 'GET',
    path: '/v1/organization',
    tag: 'organisation',
    summary: 'The organisation of the token',
    answers: [{ type: 'json', status: 200, schema: Organization }],
    errors: ['unauthorized'],
    authenticated: true,
  }),
  getHost: defineEndpoint({
    id: 'getHost',
    method: 'GET',
    path: '/v1/host',
    tag: 'server',
    summary: 'What this server is made of: isolation, pool, images, limits',
    answers: [{ type: 'json', status: 200, schema: HostInfo }],
    errors: ['unauthorized'],
    authenticated: true,
  }),
  healthz: defineEndpoint({
    id: 'healthz',
    method: 'GET',
    path: '/healthz',
    tag: 'server',
    summary: 'The server process answers',
    answers: [{ type: 'json', status: 200, schema: z.object({ status: z.literal('ok') }) }],
    errors: [],
    authenticated: false,
  }),
  readyz: defineEndpoint({
    id: 'readyz',
    method: 'GET',
    path: '/readyz',
    tag: 'server',
    summary: 'The server can take requests: store, pool and runtime work',
    answers: [{ type: 'json', status: 200, schema: z.object({ status: z.literal('ready') }) }],
    errors: ['unavailable'],
    authenticated: false,
  }),
  metrics: defineEndpoint({
    id: 'metrics',
    method: 'GET',
    path: '/metrics',
    tag: 'server',
    summary: 'Prometheus metrics',
    answers: [{ type: 'bytes', status: 200, contentType: 'text/plain; version=0.0.4; charset=utf-8' }],
    errors: [],
    authenticated: false,
  }),
  openapi: defineEndpoint({
    id: 'openapi',
    method: 'GET',
    path: '/openapi.json',
    tag: 'server',
    summary: 'This description',
    answers: [{ type: 'json', status: 200, schema: z.record(z.string(), z.unknown()) }],
    errors: [],
    authenticated: false,
  }),
} as const satisfies Record<string, Endpoint>;

export type EndpointId = keyof typeof endpoints;
