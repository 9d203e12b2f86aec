import { SpriteError } from '@sprites/contract/errors';
import { parseTaskName, parseTaskRequest } from '@sprites/contract/tasks';
import type { TaskTable } from '../tasks/task-table.ts';
import { readJson, sendJson } from './answer.ts';
import { type Call, notAllowed, notFound, type Resource } from './resource.ts';

const largestBodyBytes = 64 * 1024;

/** Holds that keep the sprite awake, `/v1/tasks`: programs inside make them, outside they can be read. Spec section 16.1. */
export function createTasksResource(tasks: TaskTable): Resource {
  return {
    answer: async (call) => {
      const { method, path, origin } = call;
      const [name] = path;
      if (path.length > 1) throw notFound('tasks', path);
      if (method === 'GET') return answerGet(tasks, call, name);
      if (origin !== 'inside') throw notAllowed('tasks', method);
      if (method === 'POST' && name === undefined) return await answerPost(tasks, call);
      if (method === 'PUT') return await answerPut(tasks, call, name);
      if (method !== 'DELETE' || name === undefined) throw notAllowed('tasks', method);
      tasks.remove(name);
      call.response.writeHead(204).end();
    },
  };
}

function answerGet(tasks: TaskTable, { response }: Call, name: string | undefined): void {
  if (name === undefined) sendJson(response, 200, { tasks: tasks.list() });
  else sendJson(response, 200, tasks.get(name));
}

async function answerPost(tasks: TaskTable, call: Call): Promise<void> {
  const { name, expireMs } = parseTaskRequest(await readJson(call.request, largestBodyBytes));
  if (name === undefined) throw new SpriteError('invalid_request', 'name is missing: name the task');
  sendJson(call.response, 201, tasks.create(name, expireMs));
}

async function answerPut(tasks: TaskTable, call: Call, pathName: string | undefined): Promise<void> {
  const body = await readJson(call.request, largestBodyBytes);
  const { name = pathName, expireMs } = parseTaskRequest(body);
  if (name === undefined) throw new SpriteError('invalid_request', 'name is missing: name the task');
  if (pathName !== undefined && pathName !== name) {
    throw new SpriteError('invalid_request', `bad name ${JSON.stringify(name)}: must be the one in the path`);
  }
  sendJson(call.response, 200, tasks.put(parseTaskName(name), expireMs));
}
