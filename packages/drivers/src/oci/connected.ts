import type { Socket } from 'node:net';

/**
 * Resolves when a socket that `open` began to connect is connected. Rejects with what `explain` makes of a failure, or with
 * the signal's reason; the socket is gone then.
 */
export function connected(
  open: () => Socket,
  explain: (cause: unknown) => Error,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    let socket: Socket;
    try {
      socket = open();
    } catch (cause) {
      reject(explain(cause));
      return;
    }
    const onAbort = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const onError = (cause: Error): void => {
      signal.removeEventListener('abort', onAbort);
      reject(explain(cause));
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      signal.removeEventListener('abort', onAbort);
      socket.off('error', onError);
      resolve(socket);
    });
  });
}
