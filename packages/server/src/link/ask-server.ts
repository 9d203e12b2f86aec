import { request as openRequest, type Server } from 'node:http';
import { duplexPair } from 'node:stream';
import { SpriteError } from '@sprites/contract';
import type { InsideRequest } from '@sprites/contract/link';
import type { Store } from '@sprites/core';
import { admitInsider } from './insiders.ts';

/** Pieces of an answer on their way into a sprite. */
export type AnswerSink = {
  head(status: number, contentType: string): void;
  /** resolves when more may be given */
  data(text: string): Promise<void>;
};

export type AskServerDeps = {
  readonly store: Store;
  /** the API's own listener */
  readonly server: Server;
};

/**
 * Answers a request of a program inside a sprite as the API would answer the sprite's own org: over a connection in memory
 * that counts as that sprite's, so that such requests have the same checks, log lines and metrics as all others. Resolves at
 * the end of the answer; rejects when it breaks off.
 */
export async function askServer(
  deps: AskServerDeps,
  spriteId: string,
  request: InsideRequest,
  sink: AnswerSink,
  signal: AbortSignal,
): Promise<void> {
  const sprite = await deps.store.findSpriteById(spriteId);
  const org = sprite === undefined ? undefined : await deps.store.findOrg(sprite.orgId);
  if (sprite === undefined || org === undefined)
    throw new SpriteError('sprite_not_found', 'the sprite was deleted');
  const [client, server] = duplexPair();
  admitInsider(server, { org, name: sprite.name });
  deps.server.emit('connection', server);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const question = openRequest({
    method: request.method,
    path: toOutside(request.target, sprite.name),
    headers: {
      host: 'sprite',
      connection: 'close',
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(request.body),
    },
    createConnection: () => client,
    signal,
  });
  question.on('error', reject);
  question.on('response', (answer) => {
    sink.head(answer.statusCode ?? 502, answer.headers['content-type'] ?? 'application/octet-stream');
    answer.setEncoding('utf8');
    pour(answer, sink).then(resolve, reject);
  });
  question.end(request.body);
  try {
    await promise;
  } finally {
    client.destroy();
    server.destroy();
  }
}

async function pour(answer: AsyncIterable<string>, sink: AnswerSink): Promise<void> {
  for await (const text of answer) await sink.data(text);
}

/** `/v1/checkpoints` inside is `/v1/sprites/{name}/checkpoints` outside, and `/v1/sprite` the sprite itself. */
function toOutside(target: string, name: string): string {
  const own = `/v1/sprites/${encodeURIComponent(name)}`;
  if (/^\/v1\/sprite(?=$|\?)/.test(target)) return own + target.slice('/v1/sprite'.length);
  return target.startsWith('/v1/') ? own + target.slice('/v1'.length) : own + target;
}
