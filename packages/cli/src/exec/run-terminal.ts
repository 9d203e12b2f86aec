import type { Sprite, SpriteCommand } from '@sprites/sdk';
import { type Cli, note } from '../cli.ts';
import { describeForward, forwardPorts } from '../ports/forwarder.ts';
import { ConsoleRequests } from '../terminal/console-requests.ts';
import { beforeDetachKey } from '../terminal/detach-key.ts';
import { BrowserOpener } from '../terminal/open-address.ts';
import { startProgress } from '../terminal/progress.ts';
import { enterRawMode } from '../terminal/raw-mode.ts';
import { ScreenModes } from '../terminal/screen-modes.ts';
import { copyOutput, OutputError } from './output.ts';
import { isDetached } from './run-piped.ts';
import { onSignals, signalExitCode } from './signals.ts';

/** What `runTerminal` needs besides the command. */
export type TerminalOptions = {
  readonly spriteName: string;
  /** what the wait for the first sign of life is called */
  readonly waiting: string;
  /** the sprite whose ports are to be forwarded to this machine */
  readonly forward?: Sprite | undefined;
};

/** The size of our terminal, when there is one. */
export function terminalSize({ stdout }: Cli): { readonly cols?: number; readonly rows?: number } {
  return stdout.isTTY ? { cols: stdout.columns, rows: stdout.rows } : {};
}

/**
 * Connects a command with a terminal to ours: keys, screen, size. Ctrl+\ and the loss of our terminal detach, the
 * session then runs on. Our terminal is put back whatever happens. Resolves with the exit code.
 */
export async function runTerminal(
  cli: Cli,
  command: SpriteCommand,
  options: TerminalOptions,
): Promise<number> {
  const progress = startProgress(cli, options.waiting);
  const modes = new ScreenModes();
  const leave = new Leaving(command);
  const restoreMode = enterRawMode(cli.stdin);
  const undo = [
    () => progress.stop(),
    restoreMode,
    connectKeys(cli, command, leave),
    connectSize(cli, command),
    connectPorts(cli, command, modes, options),
    onSignals((signal) => (signal === 'SIGINT' ? command.kill(signal) : leave.now(signalExitCode(signal)))),
  ];
  try {
    command.stdout.once('readable', () => progress.stop());
    const requests = hearRequests(cli, command, leave);
    const watch = (chunk: Buffer): void => {
      modes.see(chunk);
      requests.see(chunk);
    };
    const output = copyOutput(command.stdout, cli.stdout, watch).catch((error) => {
      if (!(error instanceof OutputError)) throw error;
      leave.now(signalExitCode('SIGHUP'));
    });
    const code = await command.wait();
    await output;
    return code;
  } catch (error) {
    if (!isDetached(error)) throw error;
    return leave.exitCode;
  } finally {
    for (const step of undo) step();
    if (cli.stdout.isTTY) cli.stdout.write(modes.reset());
    if (leave.detached) noteDetached(cli, command, options);
  }
}

function connectPorts(
  cli: Cli,
  command: SpriteCommand,
  modes: ScreenModes,
  { forward }: TerminalOptions,
): () => void {
  if (forward === undefined) return () => undefined;
  return forwardPorts(forward, command, (port, address) => {
    // A program that has the whole screen would have a hole in it.
    if (!modes.isFullScreen) cli.stderr.write(`\r\n${describeForward(port, address)}\r\n`);
  });
}

/** Does what programs in the sprite ask of the console. */
function hearRequests(cli: Cli, command: SpriteCommand, leave: Leaving): ConsoleRequests {
  const opener = new BrowserOpener();
  return new ConsoleRequests(
    {
      open: (address) => {
        if (cli.environment.opensBrowser) opener.open(address, performance.now());
      },
      detach: () => leave.now(0),
    },
    command.replayBytes,
  );
}

function noteDetached(cli: Cli, command: SpriteCommand, { spriteName }: TerminalOptions): void {
  const { sessionId } = command;
  if (sessionId === undefined) note(cli, 'sprite: cancelled');
  else note(cli, `\ndetached, the session runs on; back with: sprite attach -s ${spriteName} ${sessionId}`);
}

/** Keeps how the terminal was left while the command ran on. */
class Leaving {
  readonly #command: SpriteCommand;
  exitCode = 0;
  detached = false;

  constructor(command: SpriteCommand) {
    this.#command = command;
  }

  now(exitCode: number): void {
    if (this.detached) return;
    this.detached = true;
    this.exitCode = exitCode;
    this.#command.detach();
  }
}

function connectKeys({ stdin }: Cli, command: SpriteCommand, leave: Leaving): () => void {
  let last = 0x0a;
  const type = (chunk: Buffer): void => {
    // Until the command runs nobody but us hears Ctrl-C.
    if (command.sessionId === undefined && stdin.isTTY && chunk.includes(0x03)) {
      leave.now(signalExitCode('SIGINT'));
      return;
    }
    const before = stdin.isTTY ? beforeDetachKey(chunk) : undefined;
    const typed = before ?? chunk;
    last = typed.at(-1) ?? last;
    if (typed.length > 0 && !command.stdin.write(typed)) {
      stdin.pause();
      command.stdin.once('drain', () => stdin.resume());
    }
    if (before !== undefined) leave.now(0);
  };
  // A terminal knows no end of input but Ctrl-D, which ends it only at the start of a line.
  const end = (): void => {
    command.stdin.write(last === 0x0a ? '\x04' : '\x04\x04');
  };
  stdin.on('data', type);
  if (!stdin.isTTY) stdin.once('end', end);
  return () => {
    stdin.off('data', type);
    stdin.off('end', end);
    stdin.pause();
  };
}

function connectSize(cli: Cli, command: SpriteCommand): () => void {
  const resize = (): void => {
    const { cols, rows } = terminalSize(cli);
    if (cols !== undefined && rows !== undefined && cols > 0 && rows > 0) command.resize(cols, rows);
  };
  // An attached session has the size of whoever was there before.
  command.once('spawn', resize);
  if (command.sessionId !== undefined) resize();
  cli.stdout.on('resize', resize);
  process.on('SIGCONT', resize);
  return () => {
    command.off('spawn', resize);
    cli.stdout.off('resize', resize);
    process.off('SIGCONT', resize);
  };
}
