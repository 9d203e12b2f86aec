import type { Sprite } from '@sprites/sdk';
import { type Cli, type GlobalOptions, note } from '../cli.ts';
import { UsageError } from '../cli-error.ts';
import { runPiped } from '../exec/run-piped.ts';
import { runTerminal, terminalSize } from '../exec/run-terminal.ts';
import { parseUpload, type Upload, upload } from '../exec/upload.ts';
import { describeForward, forwardPorts } from '../ports/forwarder.ts';
import { openSprite } from '../target.ts';
import { attachTo } from './attach.ts';
import { allOptions, type CommandHost, collect, createServerCommand } from './command-host.ts';

type ExecOptions = GlobalOptions & {
  readonly dir?: string;
  readonly tty?: boolean;
  readonly env?: readonly string[];
  readonly file?: readonly string[];
  readonly httpPost?: boolean;
  readonly portForward?: boolean;
  readonly id?: string;
  readonly detachable?: boolean;
};

/** Defines `sprite exec`. */
export function defineExec({ program, cli, exit }: CommandHost): void {
  const command = createServerCommand('exec', 'run a command in a sprite', [
    'sprite exec -- ls -la',
    'sprite exec -s my-sprite --dir /app -- npm test',
    'sprite exec --env KEY=value,FOO=bar -- env',
    'sprite exec --tty -- vim notes.txt',
    'sprite exec --file ./run.sh:/tmp/run.sh -- sh /tmp/run.sh',
    'tar c . | sprite exec -- tar x -C /home/sprite/app',
  ])
    .alias('x')
    .argument('[command...]', 'program and arguments; options after the program are its own')
    .passThroughOptions()
    .option('--dir <path>', 'working directory; default /home/sprite')
    .option('--tty', 'give the command a terminal; Ctrl+\\ detaches from it')
    .option('--env <K=v,K2=v2>', 'environment variables; may be repeated', collect)
    .option('--file <source:dest>', 'upload a file first; may be repeated', collect)
    .option('--http-post', 'use one HTTP request instead of a WebSocket; no terminal')
    .option('--no-port-forward', 'do not make ports that the command opens reachable at 127.0.0.1')
    .option('--id <session>', 'attach to a session instead of starting a command')
    .option('--detachable', 'let the command run on when this end goes away')
    .addHelpText(
      'after',
      '\nThe exit code is the command’s: 126 not executable, 127 not found, 128+n ended by signal n.' +
        '\nCtrl-C interrupts the command, a second one kills it. --tty passes TERM, COLORTERM, LANG and LC_ALL on.',
    )
    .action(async (words: string[]) => exit(await exec(cli, allOptions(command), words)));
  program.addCommand(command);
}

async function exec(cli: Cli, options: ExecOptions, words: readonly string[]): Promise<number> {
  const [file, ...args] = words;
  if (options.id === undefined && file === undefined) {
    throw new UsageError('no command given; use `sprite exec -- <command> [arguments]`');
  }
  if (options.httpPost === true && options.tty === true) {
    throw new UsageError('--http-post has no terminal; leave out --tty');
  }
  const env = parseEnv(options.env ?? []);
  const uploads = (options.file ?? []).map(parseUpload);
  const sprite = await openSprite(cli, options);
  if (options.id !== undefined) return attachTo(cli, sprite, options.id);
  await uploadAll(cli, sprite, uploads, options.dir);
  const what = { file: file ?? '', args, env, dir: options.dir, detachable: options.detachable === true };
  const forward = options.portForward === false ? undefined : sprite;
  if (options.httpPost === true) {
    const { runHttp } = await import('../exec/run-http.ts');
    return runHttp(cli, sprite, what);
  }
  return options.tty === true
    ? execTerminal(cli, sprite, what, forward)
    : execPiped(cli, sprite, what, forward);
}

/** A command line as `exec` runs it. */
export type ExecCommand = {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly dir: string | undefined;
  readonly detachable: boolean;
};

async function execPiped(
  cli: Cli,
  sprite: Sprite,
  command: ExecCommand,
  forward: Sprite | undefined,
): Promise<number> {
  const abort = new AbortController();
  const running = sprite.spawn(command.file, command.args, {
    ...spawnOptions(command),
    signal: abort.signal,
  });
  const tell = (port: number, address: string): void => note(cli, describeForward(port, address));
  const stop = forward === undefined ? () => undefined : forwardPorts(forward, running, tell);
  try {
    return await runPiped(cli, running, { waiting: `waking ${sprite.name}`, abort, input: true });
  } finally {
    stop();
  }
}

function execTerminal(
  cli: Cli,
  sprite: Sprite,
  command: ExecCommand,
  forward: Sprite | undefined,
): Promise<number> {
  const running = sprite.spawn(command.file, command.args, {
    ...spawnOptions(command),
    env: { ...cli.environment.terminal, ...command.env },
    tty: true,
    ...terminalSize(cli),
  });
  return runTerminal(cli, running, { spriteName: sprite.name, waiting: `waking ${sprite.name}`, forward });
}

function spawnOptions(command: ExecCommand): {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly detachable?: boolean;
} {
  return {
    env: command.env,
    ...(command.dir === undefined ? {} : { cwd: command.dir }),
    ...(command.detachable ? { detachable: true } : {}),
  };
}

async function uploadAll(
  cli: Cli,
  sprite: Sprite,
  uploads: readonly Upload[],
  dir: string | undefined,
): Promise<void> {
  for (const one of uploads) await upload(cli, sprite, one, dir);
}

/** Reads `K=v,K2=v2` lists; a comma separates only where a name and `=` follow, so values may hold commas. */
export function parseEnv(lists: readonly string[]): Readonly<Record<string, string>> {
  const entries = lists
    .flatMap((list) => list.split(/,(?=[A-Za-z_][A-Za-z0-9_]*=)/))
    .map((entry) => {
      const match = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(entry);
      if (match?.[1] !== undefined) return [match[1], match[2] ?? ''] as const;
      throw new UsageError(`--env takes KEY=value pairs separated by commas, not ${JSON.stringify(entry)}`);
    });
  return Object.fromEntries(entries);
}
