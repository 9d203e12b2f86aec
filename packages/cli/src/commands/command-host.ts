import { Command } from 'commander';
import type { Cli, GlobalOptions } from '../cli.ts';

/** What a command's definition is given: where to add itself, the process, and where its exit code goes. */
export type CommandHost = {
  readonly program: Command;
  readonly cli: Cli;
  readonly exit: (code: number) => void;
};

/** Makes a command with its examples; the caller adds arguments, options and the action. */
export function createCommand(name: string, summary: string, examples: readonly string[]): Command {
  const command = new Command(name).description(summary).helpOption('-h, --help', 'show this help');
  if (examples.length === 0) return command;
  return command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  $ ${line}`).join('\n')}`);
}

/** Makes a command that takes `-o` and `-s`. */
export function createServerCommand(name: string, summary: string, examples: readonly string[]): Command {
  return createCommand(name, summary, examples)
    .option('-o, --org <name>', 'organization, or alias:organization')
    .option('-s, --sprite <name>', 'sprite');
}

/** A command's options together with `-o` and `-s` given before its name. */
export function allOptions<Options extends GlobalOptions>(command: Command): Options {
  return command.optsWithGlobals<Options>();
}

/** Collects the values of a repeatable option. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
