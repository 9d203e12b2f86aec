import type { Environment } from './config/environment.ts';
import type { Style } from './terminal/style.ts';

/** What a command has to work with: the process it runs in, as values. */
export type Cli = {
  readonly environment: Environment;
  readonly cwd: string;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** colours for `stdout` */
  readonly style: Style;
};

/** Options every command that talks to a server takes. */
export type GlobalOptions = { readonly org?: string; readonly sprite?: string };

/** Whether a person can be asked: questions go to stderr, answers come from stdin. */
export function isInteractive(cli: Cli): boolean {
  return cli.stdin.isTTY === true && cli.stderr.isTTY === true;
}

/** Writes a line to stdout. */
export function print(cli: Cli, line: string): void {
  cli.stdout.write(`${line}\n`);
}

/** Writes a value to stdout as JSON, for programs. */
export function printJson(cli: Cli, value: unknown): void {
  print(cli, JSON.stringify(value, undefined, 2));
}

/** Writes a line for people to stderr. */
export function note(cli: Cli, line: string): void {
  cli.stderr.write(`${line}\n`);
}
