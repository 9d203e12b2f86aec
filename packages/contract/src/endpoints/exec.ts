import { z } from 'zod';
import { defineEndpoint, type Endpoint } from '../endpoint.ts';
import { KillLine, KillQuery, SessionListAnswer } from '../sprite.ts';
import { aboutSprite, wakes } from './error-codes.ts';

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

/** Commands and sessions. Spec sections 5 to 8. */
export const execEndpoints = {
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
    agent: 'wakes',
    asleep: { sessions: [], count: 0 },
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
    agent: 'wakes',
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
    agent: 'wakes',
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
    agent: 'session',
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
    agent: 'session',
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
    agent: 'wakes',
  }),
} as const satisfies Record<string, Endpoint>;
