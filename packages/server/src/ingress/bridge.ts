import { type IncomingMessage, request as openRequest, type ServerResponse } from 'node:http';
import { duplexPair } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SpriteError } from '@sprites/contract';
import type { Front } from './front.ts';

/** Fields of one connection, which Node writes itself on each side. */
const ofConnection = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Answers a request to a sprite on a connection that began with one to the API, as proxies make them: the request is given
 * to the front on a connection in memory, so that there is one way to a sprite only.
 */
export async function bridge(
  front: Front,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [ours, theirs] = duplexPair();
  front.adopt(theirs, request.socket, Buffer.alloc(0));
  const question = openRequest({
    method: request.method ?? 'GET',
    path: request.url ?? '/',
    headers: withoutConnection(request.rawHeaders),
    setHost: false,
    createConnection: () => ours,
  });
  const answered = Promise.withResolvers<IncomingMessage>();
  question.on('response', answered.resolve);
  question.on('information', ({ statusCode, rawHeaders }) => {
    if (statusCode === 103) response.writeEarlyHints({ link: valuesOf(rawHeaders, 'link') });
  });
  question.on('error', answered.reject);
  response.once('close', () => question.destroy());
  const sent = pipeline(request, question).catch(answered.reject);
  try {
    const answer = await answered.promise;
    response.writeHead(
      answer.statusCode ?? 502,
      answer.statusMessage ?? '',
      withoutConnection(answer.rawHeaders),
    );
    await pipeline(answer, response);
    await sent;
  } catch (cause) {
    if (response.headersSent) response.destroy();
    else throw new SpriteError('agent_unreachable', 'the program in the sprite broke off', { cause });
  } finally {
    ours.destroy();
  }
}

function withoutConnection(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (!ofConnection.has(name.toLowerCase())) kept.push(name, rawHeaders[i + 1] ?? '');
  }
  return kept;
}

function valuesOf(rawHeaders: readonly string[], key: string): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === key);
}
