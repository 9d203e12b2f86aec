import type { ExecAttach } from '@sprites/contract/exec';
import type { Session } from '../sessions/session.ts';
import type { ExecClient } from './exec-client.ts';
import type { WebSocket } from './web-socket.ts';

/** How far a terminal's replay may skip to begin on a new line. */
const boundarySearchBytes = 4096;

/** Connects the client that created a session, and begins to read its output. */
export function joinAsOwner(session: Session, client: ExecClient, socket: WebSocket): void {
  socket.sendJson(session.describe(true, session.log.end));
  client.watchPorts();
  session.join(client);
  session.start();
}

/**
 * Connects a client to a session that runs: it gets what the log still has, or all since its cursor. Bytes it
 * asks for that are gone are named in a gap message before the first output.
 */
export function joinAsGuest(
  session: Session,
  client: ExecClient,
  socket: WebSocket,
  attach: ExecAttach,
): void {
  const { log } = session;
  const wanted = Math.min(attach.cursor ?? 0, log.end);
  const position = attach.cursor === undefined ? findBoundary(session) : Math.max(wanted, log.start);
  socket.sendJson(session.describe(false, position));
  if (attach.cursor !== undefined && position > wanted)
    socket.sendJson({ type: 'gap', from: wanted, to: position });
  client.watchPorts();
  session.join(client, position);
}

/** The start of the log, for a terminal whose first lines are gone the first whole line. */
function findBoundary({ log, tty }: Session): number {
  if (!tty || log.start === 0) return log.start;
  const head = Buffer.alloc(boundarySearchBytes);
  const piece = log.read(log.start, head);
  const newline = head.subarray(0, piece?.length ?? 0).indexOf('\n');
  return log.start + newline + 1;
}
