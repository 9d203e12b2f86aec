import type { Duplex } from 'node:stream';
import { closeFrame, FrameBoundary } from './frame-boundary.ts';

/** Two streams joined: what comes from one goes to the other, with back-pressure, until either ends. */
export type Splice = {
  /** resolves when both streams are closed; never rejects */
  readonly done: Promise<void>;
  /** Ends the connection from outside: with a WebSocket close frame where one fits, then for good. */
  close(code: number, reason: string): void;
};

const headerEnd = Buffer.from('\r\n\r\n');
/** Longest answer head accepted from an agent, in bytes. */
const maxHeadBytes = 64 * 1024;
/** How long a client may take to read what was written before an end from outside, in `ms`. */
const closeGraceMs = 1000;

/** Joins a client's upgraded connection with the stream to the agent that answers it. */
export function splice(client: Duplex, agent: Duplex): Splice {
  const boundary = new FrameBoundary();
  const { promise: done, resolve } = Promise.withResolvers<void>();
  let head: Buffer | undefined = Buffer.alloc(0);
  let open = 2;

  const follow = (chunk: Buffer): void => {
    if (head === undefined) {
      boundary.push(chunk);
      return;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf(headerEnd);
    if (end === -1) {
      if (head.length > maxHeadBytes) agent.destroy();
      return;
    }
    const rest = head.subarray(end + headerEnd.length);
    head = undefined;
    boundary.push(rest);
  };

  agent.on('data', (chunk: Buffer) => {
    follow(chunk);
    if (!client.write(chunk)) agent.pause();
  });
  client.on('data', (chunk: Buffer) => {
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
    if (head === undefined && boundary.isBetweenFrames) client.end(closeFrame(code, reason));
    else client.end();
    setTimeout(() => client.destroy(), closeGraceMs).unref();
  };
  return { done, close };
}
