import type { IncomingMessage, ServerResponse } from 'node:http';
import { type KillEvent, type KillRequest, parseKillRequest } from '@sprites/contract/exec';
import type { Session } from '../sessions/session.ts';
import type { SessionTable } from '../sessions/session-table.ts';
import { readBody } from './answer.ts';

const largestBodyBytes = 64 * 1024;
const afterSigkillMs = 5000;

/** Signals a session and reports what becomes of it, one JSON event per line. Spec section 6.3. */
export async function serveKill(
  request: IncomingMessage,
  response: ServerResponse,
  {
    id,
    query,
    sessions,
  }: { readonly id: string; readonly query: URLSearchParams; readonly sessions: SessionTable },
): Promise<void> {
  sessions.getToKill(id);
  const kill = parseKillRequest(query, await readBody(request, largestBodyBytes));
  // It may have ended while the body came.
  const session = sessions.getToKill(id);
  response.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' });
  const send = (event: KillEvent): void => {
    response.write(`${JSON.stringify(event)}\n`);
  };
  await end(session, kill, send);
  const exitCode = session.exitCode;
  send({ type: 'complete', ...(exitCode === undefined ? {} : { exit_code: exitCode }) });
  response.end();
}

async function end(
  session: Session,
  { signal, timeoutMs }: KillRequest,
  send: (event: KillEvent) => void,
): Promise<void> {
  const pid = session.pid ?? 0;
  session.signal(signal);
  send({
    type: 'signal',
    message: `Signaling ${signal.name} to process group ${pid}`,
    signal: signal.name,
    pid,
  });
  if (timeoutMs === 0) return;
  if (await session.waitForExit(timeoutMs)) return send({ type: 'exited', message: 'Process exited' });
  send({ type: 'timeout', message: `Timeout after ${timeoutMs / 1000}s, sending SIGKILL` });
  session.signal({ number: 9 });
  if (await session.waitForExit(afterSigkillMs)) return send({ type: 'killed', message: 'Process killed' });
  send({ type: 'error', message: 'Warning: process may not have terminated' });
}
