import { parseExecRequest } from '@sprites/contract/exec';
import type { MachineFile } from '../config.ts';
import type { PortMonitor } from '../ports/port-monitor.ts';
import type { SessionTable } from '../sessions/session-table.ts';
import { ControlSocket } from '../sockets/control-socket.ts';
import { serveExecSocket } from '../sockets/exec-socket.ts';
import { sendJson } from './answer.ts';
import { serveHttpExec } from './http-exec.ts';
import { serveKill } from './kill.ts';
import { type Call, notAllowed, notFound, type Resource, upgradeRequired } from './resource.ts';

const goControlClient = 'sprites-go-sdk/1.0';

/** Commands and sessions, `/v1/exec`. Spec sections 5 to 7. */
export function createExecResource(
  sessions: SessionTable,
  machine: MachineFile,
  ports: PortMonitor,
): Resource {
  return {
    answer: (call) => answerExec(sessions, call),
    upgrade: ({ socket, path, query, accept }) => {
      if (path.length > 1) throw notFound('exec', path);
      const { ttyExitCloseCode } = machine.read();
      serveExecSocket(socket, {
        sessions,
        ports,
        request: parseExecRequest(query, path[0]),
        ttyExitCloseCode,
        accept,
      });
    },
  };
}

/** Commands one after the other on one connection, `/v1/control`. Spec section 8. */
export function createControlResource(
  sessions: SessionTable,
  machine: MachineFile,
  ports: PortMonitor,
): Resource {
  return {
    answer: ({ path }) => {
      throw path.length === 0 ? upgradeRequired('control') : notFound('control', path);
    },
    upgrade: ({ request, socket, path, query, accept }) => {
      const refused = !machine.read().controlForGo && request.headers['user-agent'] === goControlClient;
      if (path.length > 0 || refused) throw notFound('control', path);
      accept();
      const control = new ControlSocket(socket, sessions, ports);
      const [op] = query.getAll('op');
      if (op !== undefined) control.begin(op, query);
    },
  };
}

function answerExec(sessions: SessionTable, call: Call): Promise<void> | void {
  const { request, response, method, path, query } = call;
  const [id, action] = path;
  if (path.length > 2) throw notFound('exec', path);
  if (id === undefined) return answerAll(sessions, call);
  if (action === undefined) {
    sessions.get(id);
    throw upgradeRequired('exec');
  }
  if (action !== 'kill') throw notFound('exec', path);
  if (method !== 'POST') throw notAllowed('exec', method);
  return serveKill(request, response, { id, query, sessions });
}

function answerAll(sessions: SessionTable, { request, response, method, query }: Call): void {
  if (method === 'POST') {
    serveHttpExec(request, response, query, sessions);
    return;
  }
  if (method !== 'GET') throw notAllowed('exec', method);
  const list = sessions.list().map((session) => session.toEntry());
  sendJson(response, 200, { sessions: list, count: list.length });
}
