import type { Cli } from '../cli.ts';
import { CliError } from '../cli-error.ts';

/** What a question that was answered with Ctrl-C ends `sprite` with. */
const cancelled = 130;

/** Asks for a line of text. */
export async function askText(
  cli: Cli,
  message: string,
  options: { readonly initial?: string; readonly check?: (value: string) => string | undefined } = {},
): Promise<string> {
  const { text, isCancel } = await import('@clack/prompts');
  const answer = await text({
    message,
    input: cli.stdin,
    output: cli.stderr,
    ...(options.initial === undefined ? {} : { initialValue: options.initial }),
    validate: (value) => (value?.trim() ? options.check?.(value.trim()) : 'please type something'),
  });
  if (isCancel(answer)) throw new CliError('cancelled', { exitCode: cancelled });
  return answer.trim();
}

/** Asks for a secret, which is not shown. */
export async function askSecret(cli: Cli, message: string): Promise<string> {
  const { password, isCancel } = await import('@clack/prompts');
  const answer = await password({ message, input: cli.stdin, output: cli.stderr });
  if (isCancel(answer)) throw new CliError('cancelled', { exitCode: cancelled });
  return answer.trim();
}

/** Asks yes or no; no is the default. */
export async function askYesNo(cli: Cli, message: string): Promise<boolean> {
  const { confirm, isCancel } = await import('@clack/prompts');
  const answer = await confirm({ message, initialValue: false, input: cli.stdin, output: cli.stderr });
  if (isCancel(answer)) throw new CliError('cancelled', { exitCode: cancelled });
  return answer;
}

/** One thing to choose. */
export type Choice = { readonly value: string; readonly label: string; readonly hint?: string };

/** Lets the user choose one of several things by arrow keys or by typing a part of it. */
export async function askChoice(cli: Cli, message: string, choices: readonly Choice[]): Promise<string> {
  const { autocomplete, isCancel } = await import('@clack/prompts');
  const answer = await autocomplete({
    message,
    options: choices.map((choice) => ({ ...choice })),
    maxItems: 12,
    input: cli.stdin,
    output: cli.stderr,
  });
  if (isCancel(answer)) throw new CliError('cancelled', { exitCode: cancelled });
  return answer;
}
