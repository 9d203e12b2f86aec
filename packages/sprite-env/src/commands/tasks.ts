import type { Command } from 'commander';
import type { Api } from '../api.ts';
import { formatTable, note, print, printable, printJson } from '../terminal.ts';
import { type CommandHost, createCommand } from './command.ts';

const defaultExpire = '5m';

/** Defines `sprite-env tasks`. */
export function defineTasks({ program, api }: CommandHost): void {
  const tasks = createCommand('tasks', 'keep the sprite awake: it does not sleep while a task lives', [
    'sprite-env tasks create build --expire 30m',
    'sprite-env tasks put build --expire 30m',
    'sprite-env tasks delete build',
  ]).alias('task');
  tasks.addCommand(createList(api), { isDefault: true });
  tasks.addCommand(createGet(api));
  tasks.addCommand(createMake(api, 'create', 'make a task; fails when there is one of that name'));
  tasks.addCommand(createMake(api, 'put', 'make a task, or refresh the one of that name'));
  tasks.addCommand(createDelete(api));
  program.addCommand(tasks);
}

function createList(api: Api): Command {
  return createCommand('list', 'list tasks', ['sprite-env tasks list'])
    .alias('ls')
    .option('--json', 'print JSON')
    .action(async ({ json }: { readonly json?: boolean }) => {
      const { tasks } = Object(await api.askJson({ path: '/v1/tasks' }));
      if (json === true || !Array.isArray(tasks)) printJson(tasks);
      else if (tasks.length === 0) note('there are no tasks');
      else print(formatTable([['NAME', 'STARTED', 'EXPIRES'], ...tasks.map(toRow)]));
    });
}

function toRow(task: unknown): readonly string[] {
  const { name, started_at: startedAt, expires_at: expiresAt } = Object(task);
  return [name, startedAt, expiresAt].map(printable);
}

function createGet(api: Api): Command {
  return createCommand('get', 'show a task as JSON', ['sprite-env tasks get build'])
    .argument('<name>')
    .action(async (name: string) => printJson(await api.askJson({ path: pathOf(name) })));
}

function createMake(api: Api, verb: 'create' | 'put', what: string): Command {
  return createCommand(verb, what, [`sprite-env tasks ${verb} build --expire 30m`])
    .argument('<name>')
    .option('--expire <time>', 'when it ends by itself: seconds or a duration, at most 1h', defaultExpire)
    .action(async (name: string, { expire }: { readonly expire: string }) => {
      const body = JSON.stringify({ name, expire });
      const method = verb === 'create' ? 'POST' : 'PUT';
      const { expires_at: expiresAt } = Object(await api.askJson({ method, path: '/v1/tasks', body }));
      print(printable(expiresAt));
    });
}

function createDelete(api: Api): Command {
  return createCommand('delete', 'end a task', ['sprite-env tasks delete build'])
    .alias('rm')
    .argument('<name>')
    .action(async (name: string) => {
      await api.askJson({ method: 'DELETE', path: pathOf(name) });
    });
}

function pathOf(name: string): string {
  return `/v1/tasks/${encodeURIComponent(name)}`;
}
