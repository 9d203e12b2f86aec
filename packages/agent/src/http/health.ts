import type { MachineFile } from '../config.ts';
import type { SessionTable } from '../sessions/session-table.ts';
import { sendJson } from './answer.ts';
import { notAllowed, notFound, type Resource } from './resource.ts';

/** What the server asks to learn whether the agent is up, `/v1/health`. */
export function createHealthResource(sessions: SessionTable, machine: MachineFile): Resource {
  return {
    answer: ({ response, method, path }) => {
      if (path.length > 0) throw notFound('health', path);
      if (method !== 'GET') throw notAllowed('health', method);
      const { version, incarnation } = machine.read();
      sendJson(response, 200, {
        status: 'ok',
        version,
        incarnation,
        pid: process.pid,
        sessions: sessions.list().length,
        idle_ms: Date.now() - sessions.lastActivityMs(),
      });
    },
  };
}
