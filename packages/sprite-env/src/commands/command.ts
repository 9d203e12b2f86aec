import { Command } from 'commander';
import type { Api } from '../api.ts';

/** What a command's definition is given: where to add itself, the API, and where its exit code goes. */
export type CommandHost = {
  readonly program: Command;
  readonly api: Api;
  readonly exit: (code: number) => void;
};

/** Makes a command with its examples; the caller adds arguments, options and the action. */
export function createCommand(name: string, summary: string, examples: readonly string[]): Command {
  return new Command(name)
    .description(summary)
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', `\nExamples:\n${examples.map((line) => `  $ ${line}`).join('\n')}`);
}

/** Collects the values of a repeatable option. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
