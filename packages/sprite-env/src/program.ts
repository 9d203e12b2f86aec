import { Command } from 'commander';
import type { Api } from './api.ts';
import { defineCheckpoints } from './commands/checkpoints.ts';
import type { CommandHost } from './commands/command.ts';
import { defineCurl } from './commands/curl.ts';
import { defineInfo } from './commands/info.ts';
import { defineServices } from './commands/services.ts';
import { defineSessions } from './commands/sessions.ts';
import { defineTasks } from './commands/tasks.ts';

/** In the order in which help lists them. */
const definitions: readonly ((host: CommandHost) => void)[] = [
  defineInfo,
  defineServices,
  defineTasks,
  defineCheckpoints,
  defineSessions,
  defineCurl,
];

/** Builds the whole command line. Parse errors are thrown, exit codes go to `exit`. */
export function createProgram(api: Api, exit: (code: number) => void): Command {
  const program = new Command('sprite-env')
    .description('The sprite around you: its services, what keeps it awake, its checkpoints.')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', '\nSee also /.sprite/llm.txt.');
  for (const define of definitions) define({ program, api, exit });
  configure(program);
  return program;
}

function configure(command: Command): void {
  command
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'sprite-env: ')) });
  for (const child of command.commands) configure(child);
}
