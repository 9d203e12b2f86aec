import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { SpriteError } from '@sprites/contract/errors';
import type { MachineFile } from '../config.ts';
import { acceptHandshake, checkHandshake } from '../sockets/handshake.ts';
import { endWithJson, refuseUpgrade, type SpriteHeaders, sendError } from './answer.ts';
import { notFound, type Origin, type Resource } from './resource.ts';

/** Command line, environment and a macaroon travel in the request line and headers. */
const largestHeaderBytes = 4 * 1024 * 1024;

export type AgentServerOptions = {
  /** what is under `/v1/<name>` */
  readonly resources: Readonly<Record<string, Resource>>;
  readonly machine: MachineFile;
  /** who is on the other side of this server's connections */
  readonly origin: Origin;
};

/** Makes the agent's HTTP server: the sprite's API without the part that names the sprite. */
export function createAgentServer(options: AgentServerOptions): Server {
  const server = createServer({
    maxHeaderSize: largestHeaderBytes,
    // A command's input may come for hours.
    requestTimeout: 0,
    keepAliveTimeout: 60_000,
  });
  server.on('request', (request, response) => {
    setHeaders(response, toHeaders(options));
    answer(options, request, response).catch((error: unknown) => sendError(response, report(error)));
  });
  server.on('upgrade', (request, socket, head) => upgrade(options, request, { socket, head }));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuseMalformed(error, socket));
  return server;
}

async function answer(
  { resources, origin }: AgentServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { resource, path, query } = parseTarget(request, resources);
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET');
  await resource.answer({ request, response, method, path, query, origin });
}

function upgrade(
  options: AgentServerOptions,
  request: IncomingMessage,
  from: { readonly socket: Duplex; readonly head: Buffer },
): void {
  const { socket, head } = from;
  const headers = toHeaders(options);
  socket.on('error', () => socket.destroy());
  try {
    checkHandshake(request);
    if (head.length > 0) socket.unshift(head);
    const accept = (): void =>
      acceptHandshake(request, socket, { ...headers, 'X-Sprite-Capabilities': 'signal' });
    const { name, resource, path, query } = parseTarget(request, options.resources);
    if (resource.upgrade === undefined) throw notFound(name, path);
    resource.upgrade({ request, socket, path, query, accept, origin: options.origin });
  } catch (error) {
    refuseUpgrade(socket, report(error), headers);
  }
}

type Target = {
  readonly name: string;
  readonly resource: Resource;
  readonly path: readonly string[];
  readonly query: URLSearchParams;
};

/** Splits the path first and decodes its parts afterwards, so that `%2F` stays inside its part. */
function parseTarget(request: IncomingMessage, resources: Readonly<Record<string, Resource>>): Target {
  const target = request.url ?? '/';
  const at = target.indexOf('?');
  const [root, version, name = '', ...path] = (at < 0 ? target : target.slice(0, at)).split('/');
  const resource = Object.hasOwn(resources, name) ? resources[name] : undefined;
  if (root !== '' || version !== 'v1' || resource === undefined) throw notFound(name, path);
  return {
    name,
    resource,
    path: path.map(decode),
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

function toHeaders({ machine }: AgentServerOptions): SpriteHeaders {
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
