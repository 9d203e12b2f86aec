import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { FrameReader, frame } from './framing.ts';
import { isAnswerTo, type Query, withId } from './message.ts';
import type { Upstream } from './upstreams.ts';

/** Asks one name server once; the answer comes back under the query's own id. Rejects when the signal aborts. */
export type Exchange = (upstream: Upstream, query: Query, signal: AbortSignal) => Promise<Uint8Array>;

/** By UDP: a socket of its own for each query, so that port and id are both unknown to a forger. */
export const exchangeUdp: Exchange = (upstream, query, signal) => {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const id = randomInt(65536);
  const socket = createSocket({ type: upstream.family === 4 ? 'udp4' : 'udp6' });
  const settle = settling(signal, reject, () => socket.close());
  socket.on('error', (error) => settle(() => reject(error)));
  socket.on('message', (bytes) => {
    if (isAnswerTo(query, id, bytes)) settle(() => resolve(withId(bytes, query.id)));
  });
  // Connected, so that the kernel passes on only what comes from that server, and its refusal at once.
  socket.connect(upstream.port, upstream.address, () => {
    socket.send(withId(query.bytes, id));
  });
  return promise;
};

/** By TCP: a connection of its own for each query. */
export const exchangeTcp: Exchange = (upstream, query, signal) => {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const id = randomInt(65536);
  const reader = new FrameReader(65_535);
  const socket = connect({ host: upstream.address, port: upstream.port });
  const settle = settling(signal, reject, () => socket.destroy());
  socket.on('error', (error) => settle(() => reject(error)));
  socket.on('close', () => settle(() => reject(new Error('name server closed the connection'))));
  socket.on('data', (chunk: Buffer) => {
    for (const bytes of reader.push(chunk)) {
      if (isAnswerTo(query, id, bytes)) settle(() => resolve(withId(bytes, query.id)));
    }
  });
  socket.write(frame(withId(query.bytes, id)));
  return promise;
};

/** Makes a function that does its first argument's work once, releasing the socket; an abort counts as that once. */
function settling(
  signal: AbortSignal,
  reject: (reason: unknown) => void,
  release: () => void,
): (finish: () => void) => void {
  let settled = false;
  const settle = (finish: () => void): void => {
    if (settled) return;
    settled = true;
    signal.removeEventListener('abort', abort);
    release();
    finish();
  };
  const abort = (): void => settle(() => reject(signal.reason));
  signal.addEventListener('abort', abort);
  return settle;
}
