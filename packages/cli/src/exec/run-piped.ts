import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SpriteCommand } from '@sprites/sdk';
import type { Cli } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { isConnectionError } from '../report.ts';
import { startProgress } from '../terminal/progress.ts';
import { copyOutput, OutputError } from './output.ts';
import { type ForwardedSignal, onSignals, signalExitCode } from './signals.ts';

/** How long a command that was told to end may take before we leave it behind. */
const giveUpAfterMs = 3000;

/** What `runPiped` needs besides the command. */
export type PipedOptions = {
  /** what the wait for the first sign of life is called */
  readonly waiting: string;
  /** ends the attempt while the command has not started */
  readonly abort: AbortController;
  /** whether our stdin becomes the command's */
  readonly input: boolean;
  /** what Ctrl+\ does instead of sending SIGQUIT */
  readonly onQuit?: (() => void) | undefined;
};

/**
 * Connects a command without a terminal to this process: stdin, stdout, stderr and signals. Ctrl-C interrupts it,
 * a second one kills it. Resolves with its exit code.
 */
export async function runPiped(cli: Cli, command: SpriteCommand, options: PipedOptions): Promise<number> {
  const progress = startProgress(cli, options.waiting);
  command.once('spawn', () => progress.stop());
  command.stdout.once('readable', () => progress.stop());
  const ending = new Ending(command, options);
  const stopSignals = onSignals((signal) => ending.signal(signal));
  const stopInput = options.input ? connectInput(cli, command) : () => command.stdin.end();
  if (!options.input) command.stdin.end();
  try {
    const output = Promise.all([
      copy(command.stdout, cli.stdout, () => ending.outputGone()),
      copy(command.stderr, cli.stderr, () => undefined),
    ]);
    const code = await Promise.race([command.wait(), ending.gaveUp]);
    const failures = (await output).filter((failure) => failure !== undefined);
    if (failures[0] !== undefined) throw failures[0];
    return code;
  } finally {
    progress.stop();
    stopSignals();
    stopInput();
  }
}

function connectInput({ stdin, stderr }: Cli, command: SpriteCommand): () => void {
  const fail = (error: Error): void => {
    stderr.write(`sprite: cannot read stdin: ${error.message}\n`);
    command.stdin.end();
  };
  stdin.on('error', fail);
  stdin.pipe(command.stdin);
  return () => {
    stdin.unpipe(command.stdin);
    stdin.off('error', fail);
    stdin.pause();
  };
}

/** Copies one stream. A reader that has gone is no failure: the command hears of it and decides. */
async function copy(from: Readable, to: Writable, onGone: () => void): Promise<Error | undefined> {
  try {
    await copyOutput(from, to);
    return undefined;
  } catch (error) {
    onGone();
    if (error instanceof OutputError && error.readerGone) return undefined;
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Turns the ways in which a user ends a command into signals for it, and stops waiting when it does not listen. */
class Ending {
  readonly gaveUp: Promise<number>;
  readonly #command: SpriteCommand;
  readonly #options: PipedOptions;
  #giveUp: (code: number) => void = () => undefined;
  #interrupts = 0;

  constructor(command: SpriteCommand, options: PipedOptions) {
    this.#command = command;
    this.#options = options;
    this.gaveUp = new Promise((resolve) => {
      this.#giveUp = resolve;
    });
  }

  signal(signal: ForwardedSignal): void {
    if (this.#command.sessionId === undefined) {
      this.#options.abort.abort(new CliError('cancelled', { exitCode: signalExitCode(signal) }));
    } else if (signal === 'SIGQUIT' && this.#options.onQuit !== undefined) {
      this.#options.onQuit();
    } else if (signal === 'SIGINT' && ++this.#interrupts > 1) {
      this.#leave('SIGKILL');
    } else {
      this.#command.kill(signal);
    }
  }

  outputGone(): void {
    this.#leave('SIGPIPE');
  }

  #leave(signal: 'SIGKILL' | 'SIGPIPE'): void {
    this.#command.kill(signal);
    void sleep(giveUpAfterMs, undefined, { ref: false }).then(() => {
      this.#giveUp(signalExitCode(signal));
      this.#command.detach();
    });
  }
}

/** Whether the command was let go on purpose. */
export function isDetached(error: unknown): boolean {
  return isConnectionError(error) && error.code === 'detached';
}
