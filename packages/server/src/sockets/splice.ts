import type { Duplex } from 'node:stream';
import { closeFrame, FrameBoundary } from './frame-boundary.ts';
import { countPassed } from './young-garbage.ts';

/** Two streams joined: what comes from one goes to the other, with back-pressure, until either ends. */
export type Splice = {
  /** resolves when both streams are closed; never rejects */
  readonly done: Promise<void>;
  /** Ends the connection from outside: with a WebSocket close frame where one fits, then for good. */
  close(code: number, reason: string): void;
};

/** How long a client may take to read what was written before an end from outside, in `ms`. */
const closeGraceMs = 1000;

/**
 * Joins a client's connection with the stream to the agent that has taken over its protocol; `first` is what the agent
 * has said already.
 */
export function splice(client: Duplex, agent: Duplex, first: Buffer): Splice {
  const boundary = new FrameBoundary();
  const { promise: done, resolve } = Promise.withResolvers<void>();
  let open = 2;

  const pass = (chunk: Buffer): void => {
    boundary.push(chunk);
    countPassed(chunk.length);
    if (!client.write(chunk)) agent.pause();
  };
  agent.on('data', pass);
  if (first.length > 0) pass(first);
  client.on('data', (chunk: Buffer) => {
    countPassed(chunk.length);
    if (!agent.write(chunk)) client.pause();
  });
  client.on('drain', () => agent.resume());
  agent.on('drain', () => client.resume());
  agent.on('end', () => client.end());
  client.on('end', () => agent.end());
  const closed = (): void => {
    open--;
    if (open === 0) resolve();
  };
  for (const [stream, other] of [
    [client, agent],
    [agent, client],
  ] as const) {
    stream.on('error', () => stream.destroy());
    stream.on('close', () => {
      closed();
      if (stream === client) other.destroy();
      else if (!other.writableEnded) other.end();
    });
  }

  const close = (code: number, reason: string): void => {
    agent.removeAllListeners('data');
    agent.destroy();
    if (client.writableEnded || client.destroyed) return;
    if (boundary.isBetweenFrames) client.end(closeFrame(code, reason));
    else client.end();
    setTimeout(() => client.destroy(), closeGraceMs).unref();
  };
  return { done, close };
}
