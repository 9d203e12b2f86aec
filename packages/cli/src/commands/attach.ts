import { once } from 'node:events';
import type { Session, Sprite } from '@sprites/sdk';
import { type Cli, type GlobalOptions, isInteractive, note } from '../cli.ts';
import { CliError, UsageError } from '../cli-error.ts';
import { isDetached, runPiped } from '../exec/run-piped.ts';
import { runTerminal } from '../exec/run-terminal.ts';
import { openSprite } from '../target.ts';
import { askChoice } from '../terminal/ask.ts';
import { withProgress } from '../terminal/progress.ts';
import { printable } from '../terminal/style.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

/** Defines `sprite attach`. */
export function defineAttach({ program, cli, exit }: CommandHost): void {
  program.addCommand(createAttachCommand(cli, exit));
}

/** Makes the command; `sprite sessions attach` is the same one. */
export function createAttachCommand(
  cli: Cli,
  exit: CommandHost['exit'],
): ReturnType<typeof createServerCommand> {
  const command = createServerCommand('attach', 'connect to a session that is running in a sprite', [
    'sprite attach',
    'sprite attach -s my-sprite 1847',
  ])
    .argument('[session]', 'session id; when left out the only session, or one chosen from a list')
    .addHelpText('after', '\nShows what the session printed so far. Ctrl+\\ detaches again.')
    .action(async (id: string | undefined) => {
      const sprite = await openSprite(cli, allOptions<GlobalOptions>(command));
      exit(await attachTo(cli, sprite, id ?? (await chooseSession(cli, sprite, 'Attach to which session?'))));
    });
  return command;
}

/** Connects to a running session as its kind demands. Resolves with its exit code, or 0 when detached. */
export async function attachTo(cli: Cli, sprite: Sprite, sessionId: string): Promise<number> {
  const abort = new AbortController();
  const command = sprite.attachSession(sessionId, { signal: abort.signal });
  const waiting = `attaching to ${sessionId}`;
  await withProgress(cli, waiting, async () => {
    await Promise.race([once(command, 'spawn'), command.wait()]);
  });
  if (command.tty) return runTerminal(cli, command, { spriteName: sprite.name, waiting });
  try {
    const onQuit = (): void => command.detach();
    return await runPiped(cli, command, { waiting, abort, input: true, onQuit });
  } catch (error) {
    if (!isDetached(error)) throw error;
    note(cli, `detached, the session runs on; back with: sprite attach -s ${sprite.name} ${sessionId}`);
    return 0;
  }
}

/** The id of the only session, or of the one the user chooses. */
export async function chooseSession(cli: Cli, sprite: Sprite, question: string): Promise<string> {
  const sessions = await withProgress(cli, 'listing sessions', () => sprite.listSessions());
  const [first, ...others] = sessions;
  if (first === undefined) throw new CliError(`no session is running in ${sprite.name}`);
  if (others.length === 0) return first.id;
  if (isInteractive(cli)) return askChoice(cli, question, sessions.map(toChoice));
  const ids = sessions.map((session) => session.id).join(', ');
  throw new UsageError(`${sessions.length} sessions are running in ${sprite.name}; name one of ${ids}`);
}

function toChoice({ id, command, tty }: Session): {
  readonly value: string;
  readonly label: string;
  readonly hint: string;
} {
  return { value: id, label: `${id}  ${printable(command)}`, hint: tty ? 'terminal' : 'no terminal' };
}
