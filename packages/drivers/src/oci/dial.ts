import type { Socket } from 'node:net';
import { SpriteError } from '@sprites/contract';

/** Waits until the socket that `connect` makes is connected. Throws `agent_unreachable`, or the signal's reason. */
export function dialAgent(spriteId: string, connect: () => Socket, signal: AbortSignal): Promise<Socket> {
  const unreachable = (cause: unknown): SpriteError =>
    new SpriteError('agent_unreachable', `sprite ${spriteId} has no running machine`, { cause });
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    let socket: Socket;
    try {
      socket = connect();
    } catch (cause) {
      reject(unreachable(cause));
      return;
    }
    const onAbort = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const onError = (cause: Error): void => {
      signal.removeEventListener('abort', onAbort);
      reject(unreachable(cause));
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      signal.removeEventListener('abort', onAbort);
      socket.off('error', onError);
      resolve(socket);
    });
  });
}
