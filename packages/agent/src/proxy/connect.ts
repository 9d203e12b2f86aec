import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import { SpriteError } from '@sprites/contract/errors';

/** Clients wait 10 s for an answer. */
const connectTimeoutMs = 9000;
const loopbacks = ['127.0.0.1', '::1'] as const;

/** How to connect, and `signal` to give up. */
export type ConnectOptions = {
  readonly host: string;
  readonly port: number;
  readonly onread: NonNullable<TcpNetConnectOpts['onread']>;
  readonly signal: AbortSignal;
};

/** A connection that nobody answers at the other end, as opposed to one that failed otherwise. */
export function isRefused(error: unknown): boolean {
  return codeOf(error) === 'ECONNREFUSED';
}

/**
 * Connects to a port as a program in the sprite would. `localhost` is both loopback addresses, whatever the sprite's
 * /etc/hosts says, since programs listen on either.
 */
export async function connectTo(options: ConnectOptions): Promise<Socket> {
  const hosts = options.host.toLowerCase() === 'localhost' ? loopbacks : [options.host];
  let failure: unknown;
  for (const host of hosts) {
    try {
      return await connectOnce({ ...options, host });
    } catch (error) {
      failure ??= error;
      if (!isRefused(error) && codeOf(error) !== 'EADDRNOTAVAIL') break;
    }
  }
  throw failure;
}

async function connectOnce({ host, port, onread, signal }: ConnectOptions): Promise<Socket> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ host, port, onread, allowHalfOpen: true, noDelay: true });
  const timer = setTimeout(
    () => socket.destroy(new SpriteError('unavailable', `no answer within ${connectTimeoutMs / 1000} s`)),
    connectTimeoutMs,
  );
  const onAbort = (): void => void socket.destroy(new Error('the client is gone'));
  signal.addEventListener('abort', onAbort, { once: true });
  socket.once('connect', () => resolve(socket));
  socket.once('error', reject);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    socket.off('error', reject);
  }
}

function codeOf(error: unknown): unknown {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** Why a connection failed, in words. */
export function describeConnectFailure(error: unknown): string {
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connection refused',
    EHOSTUNREACH: 'no route to host',
    ENETUNREACH: 'network is unreachable',
    ETIMEDOUT: 'connection timed out',
    ECONNRESET: 'connection reset',
    ENOTFOUND: 'no such host',
    EAI_AGAIN: 'the name cannot be resolved',
    EADDRNOTAVAIL: 'address not available',
    EACCES: 'permission denied',
    EPERM: 'operation not permitted',
  };
  const known = words[String(codeOf(error))];
  return known ?? (error instanceof Error ? error.message || error.name : 'connecting failed');
}
