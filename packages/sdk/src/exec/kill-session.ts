import { endpoints } from '@sprites/contract';
import { request, type Server } from '../http/request.ts';
import { SessionKillStream } from '../http/streams.ts';
import type { CallOptions } from '../options.ts';

/** Which session of which sprite, and how it is to end. */
export type Kill = {
  readonly name: string;
  readonly sessionId: string;
  readonly signal: string | undefined;
  readonly timeout: string | undefined;
};

/** Signals a session and follows its end. */
export async function killSession(
  server: Server,
  { name, sessionId, signal, timeout }: Kill,
  options: CallOptions,
): Promise<SessionKillStream> {
  const query = new URLSearchParams();
  if (signal !== undefined) query.set('signal', signal);
  if (timeout !== undefined) query.set('timeout', timeout);
  const response = await request(server, endpoints.killSession, {
    params: { name, session_id: sessionId },
    query,
    accept: 'application/x-ndjson',
    signal: options.signal,
    timeoutMs: 0,
  });
  return new SessionKillStream(response);
}
