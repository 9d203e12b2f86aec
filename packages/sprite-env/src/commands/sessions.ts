import { formatTable, note, print, printable, printJson } from '../terminal.ts';
import { type CommandHost, createCommand } from './command.ts';

/** Defines `sprite-env sessions`. */
export function defineSessions({ program, api }: CommandHost): void {
  const sessions = createCommand('sessions', 'list the commands that were started from outside', [
    'sprite-env sessions',
    'sprite-env sessions --json',
  ])
    .option('--json', 'print JSON')
    .action(async ({ json }: { readonly json?: boolean }) => {
      const { sessions: list } = Object(await api.askJson({ path: '/v1/exec' }));
      if (json === true || !Array.isArray(list)) printJson(list);
      else if (list.length === 0) note('no session is running');
      else print(formatTable([['ID', 'STARTED', 'TTY', 'COMMAND'], ...list.map(toRow)]));
    });
  program.addCommand(sessions);
}

function toRow(session: unknown): readonly string[] {
  const { id, created, tty, command } = Object(session);
  return [id, created, tty === true ? 'yes' : 'no', String(command).slice(0, 60)].map(printable);
}
