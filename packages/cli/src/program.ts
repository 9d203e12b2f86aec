import { Command } from 'commander';
import type { Cli } from './cli.ts';
import { defineApi } from './commands/api.ts';
import { defineAttach } from './commands/attach.ts';
import { defineAuth } from './commands/auth.ts';
import { defineCheckpoint } from './commands/checkpoint.ts';
import type { CommandHost } from './commands/command-host.ts';
import { defineCompletion } from './commands/completion.ts';
import { defineConsole } from './commands/console.ts';
import { defineCp } from './commands/cp.ts';
import { defineCreate } from './commands/create.ts';
import { defineDestroy } from './commands/destroy.ts';
import { defineEvents } from './commands/events.ts';
import { defineExec } from './commands/exec.ts';
import { defineExport } from './commands/export.ts';
import { defineFork } from './commands/fork.ts';
import { defineIdle } from './commands/idle.ts';
import { defineImport } from './commands/import.ts';
import { defineInfo } from './commands/info.ts';
import { defineList } from './commands/list.ts';
import { defineLogin } from './commands/login.ts';
import { defineLogout } from './commands/logout.ts';
import { defineOrg } from './commands/org.ts';
import { definePolicy } from './commands/policy.ts';
import { definePorts } from './commands/ports.ts';
import { defineProxy } from './commands/proxy.ts';
import { defineRestart } from './commands/restart.ts';
import { defineRestore } from './commands/restore.ts';
import { defineServices } from './commands/services.ts';
import { defineSessions } from './commands/sessions.ts';
import { defineSleep } from './commands/sleep.ts';
import { defineTasks } from './commands/tasks.ts';
import { defineUpgrade } from './commands/upgrade.ts';
import { defineConfig, defineUrl } from './commands/url.ts';
import { defineUse } from './commands/use.ts';
import { defineWake } from './commands/wake.ts';
import { version } from './version.ts';

/** In the order in which help lists them. */
const definitions: readonly ((host: CommandHost) => void)[] = [
  defineCreate,
  defineList,
  defineInfo,
  defineUse,
  defineSleep,
  defineWake,
  defineRestart,
  defineIdle,
  defineUrl,
  defineConfig,
  defineEvents,
  defineDestroy,
  defineExec,
  defineConsole,
  defineAttach,
  defineSessions,
  defineCp,
  defineProxy,
  definePorts,
  defineServices,
  defineTasks,
  definePolicy,
  defineCheckpoint,
  defineRestore,
  defineFork,
  defineExport,
  defineImport,
  defineApi,
  defineLogin,
  defineLogout,
  defineAuth,
  defineOrg,
  defineCompletion,
  defineUpgrade,
];

/** Builds the whole command line. Nothing ends the process: parse errors are thrown, exit codes go to `exit`. */
export function createProgram(cli: Cli, exit: (code: number) => void): Command {
  const program = new Command('sprite')
    .description('Persistent Linux computers that sleep when nobody uses them.')
    .version(`sprite ${version}`, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .option('-o, --org <name>', 'organization, or alias:organization')
    .option('-s, --sprite <name>', 'sprite')
    .enablePositionalOptions()
    .addHelpText(
      'after',
      '\nExamples:\n  $ sprite create my-sprite\n  $ sprite exec -s my-sprite -- uname -a\n  $ sprite use my-sprite && sprite console' +
        '\n\nEnvironment: SPRITES_API_URL, SPRITE_TOKEN, SPRITE_ORG, SPRITE_URL, NO_COLOR',
    );
  for (const define of definitions) define({ program, cli, exit });
  configure(program, cli);
  return program;
}

function configure(command: Command, cli: Cli): void {
  command
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => cli.stdout.write(text),
      writeErr: (text) => cli.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'sprite: ')),
    });
  for (const child of command.commands) configure(child, cli);
}
