import type { Command } from 'commander';
import { type Api, EnvError, type Question } from '../api.ts';
import { formatTable, note, print, printable, printJson } from '../terminal.ts';
import { type CommandHost, createCommand } from './command.ts';

type ListOptions = { readonly json?: boolean; readonly includeAuto?: boolean; readonly history?: string };

/** Defines `sprite-env checkpoints`. */
export function defineCheckpoints({ program, api }: CommandHost): void {
  const checkpoints = createCommand('checkpoints', 'save all files of the sprite, and bring them back', [
    'sprite-env checkpoints create --comment "before the upgrade"',
    'sprite-env checkpoints list',
    'sprite-env checkpoints restore v1',
  ]).alias('checkpoint');
  checkpoints.addCommand(createList(api), { isDefault: true });
  checkpoints.addCommand(createCreate(api));
  checkpoints.addCommand(createInfo(api));
  checkpoints.addCommand(createRestore(api));
  checkpoints.addCommand(createDelete(api));
  program.addCommand(checkpoints);
}

function createList(api: Api): Command {
  return createCommand('list', 'list checkpoints, newest first', ['sprite-env checkpoints list'])
    .alias('ls')
    .option('--json', 'print JSON')
    .option('--include-auto', 'show those the server made by itself, too')
    .option('--history <checkpoint>', 'only this checkpoint and those that descend from it')
    .action(async ({ json, includeAuto, history }: ListOptions) => {
      const query = new URLSearchParams();
      if (includeAuto === true) query.set('includeAuto', 'true');
      if (history !== undefined) query.set('history', history);
      const list = await api.askJson({ path: `/v1/checkpoints?${query}` });
      if (json === true || !Array.isArray(list)) printJson(list);
      else print(formatTable([['ID', 'CREATED', 'COMMENT'], ...list.map(toRow)]));
    });
}

function toRow(checkpoint: unknown): readonly string[] {
  const { id, create_time: created, comment } = Object(checkpoint);
  return [id, created, comment].map(printable);
}

function createCreate(api: Api): Command {
  return createCommand('create', 'save all files; nothing stops meanwhile. Prints the id', [
    'sprite-env checkpoints create',
    'id=$(sprite-env checkpoints create --comment works)',
  ])
    .option('--comment <text>', 'what to remember it by')
    .action(async ({ comment }: { readonly comment?: string }) => {
      const body = JSON.stringify({ comment });
      print(await follow(api, { method: 'POST', path: '/v1/checkpoint', body }));
    });
}

function createInfo(api: Api): Command {
  return createCommand('info', 'show a checkpoint as JSON', ['sprite-env checkpoints info v1'])
    .argument('<checkpoint>')
    .action(async (id: string) => printJson(await api.askJson({ path: pathOf(id) })));
}

function createRestore(api: Api): Command {
  return createCommand(
    'restore',
    'put saved files in place of the present ones; ends every process, this one too',
    ['sprite-env checkpoints restore v1'],
  )
    .argument('<checkpoint>')
    .action(async (id: string) => {
      await follow(api, { method: 'POST', path: `${pathOf(id)}/restore` });
    });
}

function createDelete(api: Api): Command {
  return createCommand('delete', 'delete a checkpoint', ['sprite-env checkpoints delete v1'])
    .alias('rm')
    .argument('<checkpoint>')
    .action(async (id: string) => {
      await api.askJson({ method: 'DELETE', path: pathOf(id) });
    });
}

/** Shows a stream and returns the id of the checkpoint it was about. */
async function follow(api: Api, question: Question): Promise<string> {
  let id: string | undefined;
  let failure: string | undefined;
  await api.askLines(question, (line) => {
    if (line.type === 'info') note(printable(line.data));
    if (line.type === 'error') failure = printable(line.error);
    if (line.type === 'complete') id = printable(line.checkpoint);
  });
  if (failure !== undefined) throw new EnvError(failure);
  if (id === undefined) throw new EnvError('the answer broke off');
  return id;
}

function pathOf(id: string): string {
  return `/v1/checkpoints/${encodeURIComponent(id)}`;
}
