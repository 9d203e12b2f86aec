import { addAbortListener } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { SpriteError } from '@sprites/contract';
import { agentHeaders } from './agent-request.ts';
import type { AgentRoute } from './agent-routes.ts';
import { askAgent } from './ask-agent.ts';
import { answerAsleep } from './asleep.ts';
import { admit, type GateDeps, reach } from './gate.ts';
import { countPassed } from './young-garbage.ts';

/** Least time between two chunks of HTTP exec, in `ms`; clients take each piece they read for a frame. Spec section 7. */
const framePaceMs = 4;
/** Most frames of HTTP exec that wait in the server; then the agent is made to wait. */
const maxQueuedFrames = 64;

/** Answers a plain HTTP request by passing it to the agent of its sprite. Throws what the client is to be told. */
export async function forward(
  deps: GateDeps,
  request: IncomingMessage,
  response: ServerResponse,
  route: AgentRoute,
): Promise<void> {
  const sprite = await admit(deps, request, route);
  response.setHeader('sprite-version', deps.version);
  if (route.route === 'headExec') {
    response.writeHead(200, { 'content-type': 'application/json' }).end();
    return;
  }
  if (!route.isPlain) throw new SpriteError('upgrade_required', `${route.route} takes a WebSocket upgrade`);
  const asleep = answerAsleep(deps.lifecycle, sprite, route);
  if (asleep !== undefined) {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(asleep));
    return;
  }
  const gone = new AbortController();
  response.once('close', () => gone.abort(new Error('the client is gone')));
  const stream = await reach(deps, sprite, route, gone.signal);
  if (route.route === 'httpExec') deps.metrics.execs.inc({ transport: 'http' });
  // also when the client has left already
  addAbortListener(gone.signal, () => stream.destroy());
  await relay(request, response, { stream, target: route.target, paced: route.route === 'httpExec' });
}

type Relay = { readonly stream: Duplex; readonly target: string; readonly paced: boolean };

async function relay(request: IncomingMessage, response: ServerResponse, to: Relay): Promise<void> {
  const answer = await answerOf(request, to);
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined && passedBack.has(name)) response.setHeader(name, value);
  }
  response.socket?.setNoDelay(true);
  response.writeHead(answer.statusCode ?? 502);
  response.flushHeaders();
  answer.on('data', (chunk: Buffer) => countPassed(chunk.length));
  await (to.paced
    ? relayPaced(answer, response)
    : pipeline(answer, response).catch(() => response.destroy()));
}

/** Passes each chunk on as a chunk of its own, never two at once; a broken answer is cut, which is the only way to say so. */
async function relayPaced(answer: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  let wake = Promise.withResolvers<void>();
  let state = 'open' as 'open' | 'ended' | 'broken';
  answer.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    if (chunks.length >= maxQueuedFrames) answer.pause();
    wake.resolve();
  });
  answer.on('close', () => {
    state = answer.complete ? 'ended' : 'broken';
    wake.resolve();
  });
  answer.on('error', () => answer.destroy());
  while (!response.destroyed) {
    const chunk = chunks.shift();
    if (chunk === undefined) {
      if (state !== 'open') break;
      await wake.promise;
      wake = Promise.withResolvers();
      continue;
    }
    answer.resume();
    if (!response.write(chunk)) await drained(response);
    await delay(framePaceMs);
  }
  if (state === 'broken') response.destroy();
  else response.end();
}

/** Answer headers of an agent that a client gets to see. */
const passedBack = new Set([
  'content-type',
  'content-length',
  'sprite-version',
  'x-sprite-capabilities',
  'retry-after',
  'accept-ranges',
  'content-range',
  'etag',
  'last-modified',
]);

async function answerOf(request: IncomingMessage, { stream, target }: Relay): Promise<IncomingMessage> {
  request.on('data', (chunk: Buffer) => countPassed(chunk.length));
  try {
    const reply = await askAgent(stream, {
      method: request.method ?? 'GET',
      path: target,
      headers: [...agentHeaders(request), ...bodyHeaders(request), 'Connection', 'close'],
      body: request,
    });
    if (reply.type === 'answer') return reply.answer;
    throw new Error('the agent changed the protocol without being asked');
  } catch (cause) {
    stream.destroy();
    if (request.readableAborted) {
      throw new SpriteError('invalid_request', 'the client left before its request was whole');
    }
    throw new SpriteError('agent_unreachable', 'the program inside the sprite broke off', { cause });
  }
}

/** A body of unknown length goes on in chunks, whatever the method: Node leaves it bare for those that seldom have one. */
function bodyHeaders({ headers }: IncomingMessage): readonly string[] {
  return headers['transfer-encoding'] === undefined ? [] : ['Transfer-Encoding', 'chunked'];
}

async function drained(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  response.once('drain', resolve);
  response.once('close', resolve);
  await promise;
  // a long answer waits very often
  response.off('drain', resolve);
  response.off('close', resolve);
}
