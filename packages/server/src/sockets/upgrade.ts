import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { SpriteError } from '@sprites/contract';
import { parseTarget } from '../http/path.ts';
import { contextOf } from '../http/request-context.ts';
import { upgradeHeaders } from './agent-request.ts';
import { type AgentRoute, findAgentRoute } from './agent-routes.ts';
import { type AgentReply, askAgent, readText } from './ask-agent.ts';
import { admit, type GateDeps, reach } from './gate.ts';
import { splice } from './splice.ts';

/** How long an agent may take to answer an upgrade, in `ms`. */
const answerTimeoutMs = 30_000;
/** Longest refusal of an agent that is passed on, in bytes. */
const mostRefusalBytes = 64 * 1024;

/**
 * Answers a WebSocket upgrade by joining the client with the agent of its sprite. Everything that can fail, fails
 * before: it throws what the client is to be told in an ordinary HTTP answer. Resolves to the status when the
 * connection has ended.
 *
 * The streams are joined only behind an answer 101, and the client gets an answer of our making: bytes of the agent's
 * own could pass for the end of this exchange, and whoever keeps connections for later use, as proxies do, would
 * then send the next request, token and all, into the sprite.
 */
export async function upgrade(
  deps: GateDeps,
  request: IncomingMessage,
  client: Duplex,
  first: Buffer,
): Promise<number> {
  const route = upgradeRoute(request);
  const gone = new AbortController();
  const onGone = (): void => gone.abort(new Error('the client is gone'));
  client.once('close', onGone);
  const sprite = await admit(deps, request, route);
  const agent = await reach(deps, sprite, route, gone.signal);
  const reply = await ask(agent, request, route.target, gone.signal);
  client.off('close', onGone);
  if (reply.type === 'answer') return refuse(client, agent, request, reply.answer);
  client.write(switchHead(request, reply.answer));
  if (first.length > 0) agent.write(first);
  deps.metrics.execs.inc({ transport: route.route });
  deps.metrics.openSockets.inc();
  const joined = splice(client, agent, reply.first);
  deps.connections.add(sprite.id, joined);
  await joined.done;
  deps.metrics.openSockets.dec();
  return 101;
}

async function ask(
  agent: Duplex,
  request: IncomingMessage,
  path: string,
  gone: AbortSignal,
): Promise<AgentReply> {
  const headers = upgradeHeaders(request);
  const signal = AbortSignal.any([gone, AbortSignal.timeout(answerTimeoutMs)]);
  try {
    return await askAgent(agent, { method: 'GET', path, headers, signal });
  } catch (cause) {
    gone.throwIfAborted();
    throw new SpriteError('agent_unreachable', 'the program inside the sprite broke off', { cause });
  }
}

/** Headers of an agent's answer 101 that the client gets to see. */
const passedBack = [
  'sec-websocket-accept',
  'sec-websocket-protocol',
  'sprite-version',
  'x-sprite-capabilities',
];

function switchHead(request: IncomingMessage, answer: IncomingMessage): string {
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
  for (const name of passedBack) {
    const value = answer.headers[name];
    if (typeof value === 'string') lines.push(`${name}: ${value}`);
  }
  return `${[...lines, `x-request-id: ${contextOf(request).id}`].join('\r\n')}\r\n\r\n`;
}

/** Passes on why the agent does not upgrade, as a whole answer that ends the connection. */
async function refuse(
  client: Duplex,
  agent: Duplex,
  request: IncomingMessage,
  answer: IncomingMessage,
): Promise<number> {
  const status = answer.statusCode ?? 502;
  let text: string;
  try {
    text = await readText(answer, mostRefusalBytes);
  } catch (cause) {
    throw new SpriteError('agent_unreachable', 'the program inside the sprite broke off', { cause });
  } finally {
    agent.destroy();
  }
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Connection: close',
    `X-Request-Id: ${contextOf(request).id}`,
  ];
  if (client.writable) client.end(`${lines.join('\r\n')}\r\n\r\n${text}`);
  return status;
}

function upgradeRoute(request: IncomingMessage): AgentRoute {
  if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
    throw new SpriteError('invalid_request', `upgrade to ${request.headers.upgrade} is not supported`);
  }
  const route = findAgentRoute(request.method ?? 'GET', parseTarget(request.url ?? '/'));
  if (route?.isSocket !== true) throw new SpriteError('not_found', 'no WebSocket endpoint has this path');
  return route;
}
