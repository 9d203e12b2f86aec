import type { Duplex } from 'node:stream';
import type { ExecRequest } from '@sprites/contract/exec';
import type { PortMonitor } from '../ports/port-monitor.ts';
import type { Session } from '../sessions/session.ts';
import type { SessionTable } from '../sessions/session-table.ts';
import { ExecClient } from './exec-client.ts';
import { joinAsGuest, joinAsOwner } from './join-session.ts';
import { WebSocket } from './web-socket.ts';

const largestTextBytes = 64 * 1024;
const normalClosure = 1000;
const privateCloseBase = 4000;

export type ExecSocketOptions = {
  readonly sessions: SessionTable;
  readonly ports: PortMonitor;
  readonly request: ExecRequest;
  /** whether a TTY command that fails closes with 4000 + its exit code instead of 1000 */
  readonly ttyExitCloseCode: boolean;
  /** answers the handshake; not called when the session to attach to does not exist */
  readonly accept: () => void;
};

/** Serves one exec socket: starts or finds the session, and connects it. Throws before the handshake is answered. */
export function serveExecSocket(socket: Duplex, options: ExecSocketOptions): void {
  const { request, sessions } = options;
  const session =
    request.type === 'attach' ? sessions.get(request.attach.id) : sessions.start(request.command);
  // The handshake, the first message and often the first output go out with one system call.
  socket.cork();
  process.nextTick(() => socket.uncork());
  options.accept();
  const webSocket = new WebSocket(
    socket,
    {
      onBinary: (piece, first, last) => client.takeBinary(piece, first, last),
      onText: (text) => client.takeText(text),
      onSent: () => client.sent(),
      onClosed: () => client.leave(),
    },
    largestTextBytes,
  );
  const client = new ExecClient(session, webSocket, {
    dialect: 'ids',
    attached: request.type === 'attach',
    ports: options.ports,
    onFinished: (exitCode) => webSocket.close(pickCloseCode(session, exitCode, options.ttyExitCloseCode)),
  });
  if (request.type === 'attach') joinAsGuest(session, client, webSocket, request.attach);
  else joinAsOwner(session, client, webSocket);
}

/** JS has no other way to learn that a TTY command failed. Spec section 5.6. */
function pickCloseCode({ tty }: Session, exitCode: number, byExitCode: boolean): number {
  return tty && byExitCode && exitCode !== 0 ? privateCloseBase + exitCode : normalClosure;
}
