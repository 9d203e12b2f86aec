import { type IncomingMessage, request as openRequest } from 'node:http';
import type { Duplex, Readable } from 'node:stream';

/** What an agent said: an ordinary answer, or the switch to another protocol on the same stream. */
export type AgentReply =
  | { readonly type: 'answer'; readonly answer: IncomingMessage }
  | {
      readonly type: 'upgraded';
      readonly answer: IncomingMessage;
      /** bytes that came behind the answer's head */
      readonly first: Buffer;
    };

export type AgentQuestion = {
  readonly method: string;
  /** request target on the agent */
  readonly path: string;
  /** names and values in turn; without a host, none is sent */
  readonly headers: readonly string[];
  readonly body?: Readable;
  /** ends the wait for the reply, and destroys the stream */
  readonly signal?: AbortSignal;
};

/**
 * Sends one request over a stream that nobody else uses. Whatever the agent does (silence apart, which is what `signal` is
 * for), this settles: root in a sprite can take the agent's place, so nothing of it is taken on trust.
 */
export function askAgent(
  stream: Duplex,
  { method, path, headers, body, signal }: AgentQuestion,
): Promise<AgentReply> {
  const { promise, resolve, reject } = Promise.withResolvers<AgentReply>();
  stream.on('error', () => stream.destroy());
  const question = openRequest({
    method,
    path,
    headers: [...headers],
    setHost: false,
    createConnection: () => stream,
    ...(signal === undefined ? {} : { signal }),
  });
  question.on('response', (answer) => resolve({ type: 'answer', answer }));
  question.on('upgrade', (answer, _stream, first) => resolve({ type: 'upgraded', answer, first }));
  // no agent of ours sends interim answers, and another one could send them without end
  question.on('information', () => question.destroy(new Error('the agent sent an interim answer')));
  question.on('error', reject);
  question.on('close', () => reject(new Error('the agent ended the connection without an answer')));
  if (body === undefined) question.end();
  else body.pipe(question);
  return promise;
}

/** The body of an answer as text. Rejects, and destroys the stream, when it is longer than `mostBytes` or cut. */
export async function readText(answer: IncomingMessage, mostBytes: number): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of answer) {
    if (!Buffer.isBuffer(part)) throw new TypeError('the answer has an encoding set');
    bytes += part.length;
    if (bytes > mostBytes) throw new Error(`the answer is longer than ${mostBytes} bytes`);
    parts.push(part);
  }
  if (!answer.complete) throw new Error('the answer was cut');
  return Buffer.concat(parts).toString();
}
