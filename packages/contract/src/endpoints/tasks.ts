import { defineEndpoint, type Endpoint } from '../endpoint.ts';
import { Task, TaskList } from '../task.ts';
import { aboutSprite } from './error-codes.ts';

/** Holds that keep a sprite awake; programs inside make them, outside they can be read. Spec section 16.1. */
export const tasksEndpoints = {
  listTasks: defineEndpoint({
    id: 'listTasks',
    method: 'GET',
    path: '/v1/sprites/{name}/tasks',
    tag: 'tasks',
    summary: 'What keeps the sprite awake on behalf of its programs; never wakes it',
    answers: [{ type: 'json', status: 200, schema: TaskList }],
    errors: [...aboutSprite, 'agent_unreachable'],
    authenticated: true,
    agent: 'wakes',
    asleep: { tasks: [] },
  }),
  getTask: defineEndpoint({
    id: 'getTask',
    method: 'GET',
    path: '/v1/sprites/{name}/tasks/{task}',
    tag: 'tasks',
    summary: 'One task; never wakes the sprite',
    answers: [{ type: 'json', status: 200, schema: Task }],
    errors: ['task_not_found', ...aboutSprite, 'agent_unreachable'],
    authenticated: true,
    agent: 'wakes',
    asleep: 'task_not_found',
  }),
} as const satisfies Record<string, Endpoint>;
