import type { Session } from '@sprites/sdk';
import { type Cli, type GlobalOptions, note, print, printJson } from '../cli.ts';
import { openSprite } from '../target.ts';
import { formatAge } from '../terminal/age.ts';
import { withProgress } from '../terminal/progress.ts';
import { printable } from '../terminal/style.ts';
import { formatTable } from '../terminal/table.ts';
import { chooseSession, createAttachCommand } from './attach.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

type ListOptions = GlobalOptions & { readonly json?: boolean };
type KillOptions = GlobalOptions & { readonly signal?: string; readonly timeout?: string };

/** Defines `sprite sessions` with `list`, `attach` and `kill`. */
export function defineSessions({ program, cli, exit }: CommandHost): void {
  const command = createServerCommand('sessions', 'list, attach to or kill what runs in a sprite', [
    'sprite sessions',
    'sprite sessions list -s my-sprite --json',
    'sprite sessions attach 1847',
    'sprite sessions kill 1847',
  ]).alias('s');
  command.addCommand(createListCommand(cli), { isDefault: true });
  command.addCommand(createAttachCommand(cli, exit));
  command.addCommand(createKillCommand(cli, exit));
  program.addCommand(command);
}

function createListCommand(cli: Cli): ReturnType<typeof createServerCommand> {
  const command = createServerCommand('list', 'list running sessions', ['sprite sessions list'])
    .alias('ls')
    .option('--json', 'print JSON')
    .action(() => listSessions(cli, allOptions(command)));
  return command;
}

async function listSessions(cli: Cli, options: ListOptions): Promise<void> {
  const sprite = await openSprite(cli, options);
  const sessions = await withProgress(cli, 'listing sessions', () => sprite.listSessions());
  if (options.json === true) printJson(cli, sessions);
  else if (sessions.length === 0) note(cli, `no session is running in ${sprite.name}`);
  else print(cli, renderSessions(cli, sessions, Date.now()));
}

function renderSessions({ style }: Cli, sessions: readonly Session[], nowMs: number): string {
  const heading = ['ID', 'COMMAND', 'TTY', 'STARTED', 'LAST ACTIVITY', 'DIRECTORY'].map(style.dim);
  const rows = sessions.map((session) => [
    style.bold(session.id),
    shorten(printable(session.command)),
    session.tty ? 'yes' : 'no',
    formatAge(session.created, nowMs),
    formatAge(session.lastActivity, nowMs),
    printable(session.workdir),
  ]);
  return formatTable(heading, rows);
}

function shorten(text: string): string {
  return text.length > 50 ? `${text.slice(0, 49)}…` : text;
}

function createKillCommand(cli: Cli, exit: CommandHost['exit']): ReturnType<typeof createServerCommand> {
  const command = createServerCommand('kill', 'end a session', [
    'sprite sessions kill 1847',
    'sprite sessions kill --signal HUP --timeout 30s 1847',
  ])
    .argument('[session]', 'session id')
    .option('--signal <name>', 'signal to send first; default SIGTERM')
    .option('--timeout <duration>', 'how long to wait before SIGKILL; default 10s')
    .action(async (id: string | undefined) => exit(await killSession(cli, allOptions(command), id)));
  return command;
}

async function killSession(cli: Cli, options: KillOptions, argument: string | undefined): Promise<number> {
  const sprite = await openSprite(cli, options);
  const id = argument ?? (await chooseSession(cli, sprite, 'End which session?'));
  const stream = await sprite.killSession(id, options.signal, options.timeout);
  let failed = false;
  for await (const event of stream) {
    if (event.message !== undefined) note(cli, printable(event.message));
    failed ||= event.type === 'error';
  }
  return failed ? 1 : 0;
}
