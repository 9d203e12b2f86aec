import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { SpriteError } from '@sprites/contract/errors';
import { type ExecFields, parseExecRequest } from '@sprites/contract/exec';
import type { MachineFile } from '../config.ts';
import type { SessionTable } from '../sessions/session-table.ts';
import { ControlSocket } from '../sockets/control-socket.ts';
import { serveExecSocket } from '../sockets/exec-socket.ts';
import { acceptHandshake, checkHandshake } from '../sockets/handshake.ts';
import { endWithJson, refuseUpgrade, type SpriteHeaders, sendError, sendJson } from './answer.ts';
import { serveHttpExec } from './http-exec.ts';
import { serveKill } from './kill.ts';

/** Command line, environment and a macaroon travel in the request line and headers. */
const largestHeaderBytes = 4 * 1024 * 1024;
const goControlClient = 'sprites-go-sdk/1.0';

export type AgentParts = { readonly sessions: SessionTable; readonly machine: MachineFile };

/** Makes the agent's HTTP server: the sprite's API without the part that names the sprite. */
export function createAgentServer(parts: AgentParts): Server {
  const server = createServer({
    maxHeaderSize: largestHeaderBytes,
    // A command's input may come for hours.
    requestTimeout: 0,
    keepAliveTimeout: 60_000,
  });
  server.on('request', (request, response) => {
    setHeaders(response, toHeaders(parts));
    answer(parts, request, response).catch((error: unknown) => sendError(response, report(error)));
  });
  server.on('upgrade', (request, socket, head) => upgrade(parts, request, { socket, head }));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuseMalformed(error, socket));
  return server;
}

async function answer(parts: AgentParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { path, query } = parseTarget(request);
  const { sessions } = parts;
  const [resource, id, action] = path;
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  if (path.length === 1 && resource === 'health' && method === 'GET') {
    return sendJson(response, 200, describeHealth(parts));
  }
  if (path.length === 1 && resource === 'control') throw upgradeRequired(path);
  if (resource !== 'exec' || path.length > 3) throw notFound(path);
  if (id === undefined) {
    serveExec(parts, { request, response, query, method });
    return;
  }
  if (action === undefined) {
    sessions.get(id);
    throw upgradeRequired(path);
  }
  if (action !== 'kill') throw notFound(path);
  if (method !== 'POST') throw notAllowed(request, path);
  return await serveKill(request, response, { id, query, sessions });
}

type Exec = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly method: string | undefined;
};

function serveExec({ sessions }: AgentParts, { request, response, query, method }: Exec): void {
  if (method === 'POST') {
    serveHttpExec(request, response, query, sessions);
    return;
  }
  if (method !== 'GET') throw notAllowed(request, ['exec']);
  const list = sessions.list().map((session) => session.toEntry());
  sendJson(response, 200, { sessions: list, count: list.length });
}

function upgrade(
  parts: AgentParts,
  request: IncomingMessage,
  from: { readonly socket: Duplex; readonly head: Buffer },
): void {
  const { socket, head } = from;
  const headers = toHeaders(parts);
  socket.on('error', () => socket.destroy());
  try {
    checkHandshake(request);
    if (head.length > 0) socket.unshift(head);
    const accept = (): void =>
      acceptHandshake(request, socket, { ...headers, 'X-Sprite-Capabilities': 'signal' });
    serveUpgrade(parts, { request, socket, accept });
  } catch (error) {
    refuseUpgrade(socket, report(error), headers);
  }
}

type Upgrade = { readonly request: IncomingMessage; readonly socket: Duplex; readonly accept: () => void };

function serveUpgrade({ sessions, machine }: AgentParts, { request, socket, accept }: Upgrade): void {
  const { path, query } = parseTarget(request);
  const { controlForGo, ttyExitCloseCode } = machine.read();
  if (path.length === 1 && path[0] === 'control') {
    if (!controlForGo && request.headers['user-agent'] === goControlClient) throw notFound(path);
    accept();
    serveControl(socket, query, sessions);
    return;
  }
  if (path[0] !== 'exec' || path.length > 2) throw notFound(path);
  serveExecSocket(socket, { sessions, request: parseExecRequest(query, path[1]), ttyExitCloseCode, accept });
}

function serveControl(socket: Duplex, query: ExecFields, sessions: SessionTable): void {
  const control = new ControlSocket(socket, sessions);
  const [op] = query.getAll('op');
  if (op !== undefined) control.begin(op, query);
}

/** What the server asks to learn whether the agent is up, and whether the sprite is busy. */
function describeHealth({ sessions, machine }: AgentParts): object {
  const { version, incarnation } = machine.read();
  return {
    status: 'ok',
    version,
    incarnation,
    pid: process.pid,
    sessions: sessions.list().length,
    idle_ms: Date.now() - sessions.lastActivityMs(),
  };
}

/** Splits the path first and decodes its parts afterwards, so that `%2F` stays inside its part. */
function parseTarget(request: IncomingMessage): {
  readonly path: readonly string[];
  readonly query: URLSearchParams;
} {
  const target = request.url ?? '/';
  const at = target.indexOf('?');
  const path = (at < 0 ? target : target.slice(0, at)).split('/');
  if (path[0] !== '' || path[1] !== 'v1') throw notFound(path.slice(1));
  return {
    path: path.slice(2).map(decode),
    query: new URLSearchParams(at < 0 ? '' : target.slice(at + 1)),
  };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw new SpriteError('invalid_request', 'the path holds a malformed percent sign', { cause });
  }
}

function toHeaders({ machine }: AgentParts): SpriteHeaders {
  return { 'Sprite-Version': machine.read().version };
}

function setHeaders(response: ServerResponse, headers: SpriteHeaders): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}

function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    const message = `the request line and headers exceed ${largestHeaderBytes} bytes`;
    endWithJson(socket, '431 Request Header Fields Too Large', { error: 'request_too_large', message }, {});
    return;
  }
  refuseUpgrade(socket, new SpriteError('invalid_request', 'the request is no valid http'), {});
}

/** Failures that are nobody's expectation are told to the log; the client gets no more than that one happened. */
function report(error: unknown): unknown {
  if (!(error instanceof SpriteError)) console.error('request failed:', error);
  return error;
}

function notFound(path: readonly string[]): SpriteError {
  return new SpriteError('not_found', `no endpoint /v1/${path.join('/').slice(0, 80)}`);
}

function notAllowed(request: IncomingMessage, path: readonly string[]): SpriteError {
  return new SpriteError('method_not_allowed', `${request.method} is not allowed on /v1/${path[0]}`);
}

function upgradeRequired(path: readonly string[]): SpriteError {
  return new SpriteError('upgrade_required', `/v1/${path[0]} answers websocket upgrades only`);
}
