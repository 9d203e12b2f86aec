import type { Checkpoint } from '@sprites/sdk';
import { type Cli, type GlobalOptions, note, print, printJson } from '../cli.ts';
import { openSprite } from '../target.ts';
import { formatAge } from '../terminal/age.ts';
import { askYesNo } from '../terminal/ask.ts';
import { formatBytes } from '../terminal/bytes.ts';
import { withProgress } from '../terminal/progress.ts';
import { printable } from '../terminal/style.ts';
import { formatFields, formatTable } from '../terminal/table.ts';
import { createAutoCommand } from './auto-checkpoints.ts';
import { checkId, chooseCheckpoint, follow, isCurrent } from './choose-checkpoint.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';
import { createDiffCommand } from './diff.ts';
import { createRestoreCommand } from './restore.ts';
import { createVerifyCommand } from './verify-checkpoint.ts';

type Command = ReturnType<typeof createServerCommand>;
type JsonOptions = GlobalOptions & { readonly json?: boolean };
type CreateOptions = JsonOptions & { readonly comment?: string };
type ListOptions = JsonOptions & { readonly history?: string; readonly includeAuto?: boolean };

/** Defines `sprite checkpoint` with `create`, `list`, `info`, `diff`, `restore`, `verify`, `auto` and `delete`. */
export function defineCheckpoint({ program, cli, exit }: CommandHost): void {
  const command = createServerCommand(
    'checkpoint',
    'save the files of a sprite; list, restore and delete what was saved',
    [
      'sprite checkpoint create --comment "before the upgrade"',
      'sprite checkpoint list',
      'sprite checkpoint info v3',
      'sprite checkpoint diff v3',
      'sprite checkpoint verify',
      'sprite checkpoint auto --every 30m',
      'sprite checkpoint delete v3',
    ],
  )
    .alias('checkpoints')
    .addHelpText('after', '\nSee also: sprite fork.');
  command.addCommand(createListCommand(cli), { isDefault: true });
  command.addCommand(createCreateCommand(cli));
  command.addCommand(createInfoCommand(cli));
  command.addCommand(createDiffCommand(cli));
  command.addCommand(createRestoreCommand(cli));
  command.addCommand(createVerifyCommand(cli));
  command.addCommand(createAutoCommand(cli));
  command.addCommand(createDeleteCommand(cli, exit));
  program.addCommand(command);
}

function createCreateCommand(cli: Cli): Command {
  const command = createServerCommand('create', 'save the files of a sprite; nothing in it stops', [
    'sprite checkpoint create',
    'sprite checkpoint create -s my-sprite --comment "works"',
    'id=$(sprite checkpoint create)',
  ])
    .option('--comment <text>', 'what to remember it by')
    .option('--json', 'print the checkpoint as JSON instead of its id')
    .action(() => createCheckpoint(cli, allOptions(command)));
  return command;
}

async function createCheckpoint(cli: Cli, options: CreateOptions): Promise<void> {
  const sprite = await openSprite(cli, options);
  const { checkpointId = '' } = await follow(cli, await sprite.createCheckpoint(options.comment));
  note(cli, `${cli.style.good('✓')} saved ${sprite.name}; back to it with: sprite restore ${checkpointId}`);
  if (options.json === true) printJson(cli, await sprite.getCheckpoint(checkpointId));
  else print(cli, checkpointId);
}

function createListCommand(cli: Cli): Command {
  const command = createServerCommand('list', 'list checkpoints, newest first; never wakes the sprite', [
    'sprite checkpoint list',
    'sprite checkpoint list --include-auto',
    'sprite checkpoint list --history v2 --json',
  ])
    .alias('ls')
    .option('--history <checkpoint>', 'only this checkpoint and those that descend from it')
    .option('--include-auto', 'show those the server made by itself, too')
    .option('--json', 'print JSON')
    .action(() => listCheckpoints(cli, allOptions(command)));
  return command;
}

async function listCheckpoints(cli: Cli, options: ListOptions): Promise<void> {
  const sprite = await openSprite(cli, options);
  const { history, includeAuto = false } = options;
  const wish = { includeAuto, ...(history === undefined ? {} : { history }) };
  const checkpoints = await withProgress(cli, 'listing checkpoints', () => sprite.listCheckpoints(wish));
  if (options.json === true) printJson(cli, checkpoints);
  else if (checkpoints.some((one) => !isCurrent(one))) print(cli, render(cli, checkpoints, Date.now()));
  else if (history !== undefined) note(cli, `no checkpoint of ${sprite.name} descends from ${history}`);
  else note(cli, `${sprite.name} has no checkpoints; make one with \`sprite checkpoint create\``);
}

function render({ style }: Cli, checkpoints: readonly Checkpoint[], nowMs: number): string {
  const heading = ['ID', 'CREATED', 'BASED ON', 'SIZE', 'OWN', 'COMMENT'].map(style.dim);
  const rows = checkpoints.map((checkpoint) => [
    checkpoint.isAuto ? style.dim(printable(checkpoint.id)) : style.bold(printable(checkpoint.id)),
    isCurrent(checkpoint) ? 'live' : formatAge(checkpoint.createTime, nowMs),
    printable(checkpoint.sourceId ?? '-'),
    formatSize(checkpoint.sizeBytes),
    formatSize(checkpoint.ownBytes),
    printable(checkpoint.comment ?? '-') +
      (checkpoint.health === '' ? '' : style.bad(` (damaged: ${printable(checkpoint.health)})`)),
  ]);
  return formatTable(heading, rows);
}

/** A dash when it is not known. */
function formatSize(bytes: number | undefined): string {
  return bytes === undefined ? '-' : formatBytes(bytes);
}

function createInfoCommand(cli: Cli): Command {
  const command = createServerCommand('info', 'show one checkpoint', [
    'sprite checkpoint info v3',
    'sprite checkpoint info --json Current',
  ])
    .argument('[checkpoint]', 'id; chosen from a list when left out')
    .option('--json', 'print JSON')
    .action((id: string | undefined) => showCheckpoint(cli, allOptions(command), id));
  return command;
}

async function showCheckpoint(cli: Cli, options: JsonOptions, argument: string | undefined): Promise<void> {
  const sprite = await openSprite(cli, options);
  const id = checkId(argument) ?? (await chooseCheckpoint(cli, sprite, 'Which checkpoint?'));
  const checkpoint = await withProgress(cli, `asking for ${id}`, () => sprite.getCheckpoint(id));
  if (options.json === true) {
    printJson(cli, checkpoint);
    return;
  }
  const { style } = cli;
  const fields = [
    ['id', checkpoint.id],
    ['created', isCurrent(checkpoint) ? 'live' : checkpoint.createTime.toISOString()],
    ['comment', checkpoint.comment ?? '-'],
    ['history', [...checkpoint.history, checkpoint.id].join(' → ')],
    ['size', `${formatSize(checkpoint.sizeBytes)}, ${formatSize(checkpoint.ownBytes)} of it its own`],
    ['made by', checkpoint.isAuto ? 'the server' : 'you'],
    ['health', checkpoint.health === '' ? 'good' : `damaged: ${checkpoint.health}`],
  ] as const;
  const shown = isCurrent(checkpoint) ? fields.filter(([name]) => name !== 'made by') : fields;
  print(cli, formatFields(shown.map(([name, value]) => [style.dim(name), printable(value)])));
}

function createDeleteCommand(cli: Cli, exit: CommandHost['exit']): Command {
  const command = createServerCommand('delete', 'delete a checkpoint; not the one the sprite is based on', [
    'sprite checkpoint delete v3',
  ])
    .alias('rm')
    .argument('[checkpoint]', 'id; chosen from a list, and asked about, when left out')
    .action(async (id: string | undefined) => exit(await deleteCheckpoint(cli, allOptions(command), id)));
  return command;
}

async function deleteCheckpoint(
  cli: Cli,
  options: GlobalOptions,
  argument: string | undefined,
): Promise<number> {
  const sprite = await openSprite(cli, options);
  const named = checkId(argument);
  const id = named ?? (await chooseCheckpoint(cli, sprite, 'Delete which checkpoint?'));
  if (named === undefined && !(await askYesNo(cli, `Delete ${id}? This cannot be undone.`))) return 1;
  await withProgress(cli, `deleting ${id}`, () => sprite.deleteCheckpoint(id));
  note(cli, `${cli.style.good('✓')} deleted ${id} of ${sprite.name}`);
  return 0;
}
