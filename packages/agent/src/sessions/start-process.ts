import { closeSync, openSync } from 'node:fs';
import type { ExecCommand } from '@sprites/contract/exec';
import { withProgramOomScore } from '../kernel/oom-score.ts';
import { describeErrno, openPipe } from '../kernel/pipe.ts';
import { type ProgramStdio, type SpawnOutcome, spawnProgram } from '../kernel/spawn.ts';
import { closeTerminal, openTerminal, type TerminalFds } from '../kernel/terminal.ts';
import { asUser, type User } from '../kernel/user.ts';
import { buildEnvironment } from './environment.ts';
import { checkDirectory, findExecutable, type Refusal, refuse } from './executable.ts';

/** A started process with our ends of its input and output; whoever gets them closes them. */
export type StartedProcess = {
  readonly type: 'started';
  readonly pid: number;
  readonly dir: string;
  readonly io:
    | { readonly type: 'terminal'; readonly fds: TerminalFds }
    | {
        readonly type: 'pipes';
        readonly stdin: number | undefined;
        readonly stdout: number;
        readonly stderr: number;
      };
};

export type StartOptions = {
  readonly user: User;
  /** the sprite's own variables */
  readonly environment: Readonly<Record<string, string>>;
};

/** Starts a command as the user, or says why it cannot be. Never throws. */
export function startProcess(
  command: ExecCommand,
  { user, environment }: StartOptions,
): StartedProcess | Refusal {
  const variables = buildEnvironment({ user, tty: command.tty, sprite: environment, entries: command.env });
  try {
    // The score is set as root, before the user's rights are taken on.
    return withProgramOomScore(() => asUser(user, () => startAsUser(command, user, variables)));
  } catch (error) {
    return refuse(`${command.file}: ${error instanceof Error ? error.message : 'cannot be started'}`);
  }
}

function startAsUser(
  command: ExecCommand,
  user: User,
  variables: ReadonlyMap<string, string>,
): StartedProcess | Refusal {
  const dir = command.dir ?? pickHome(user);
  const badDirectory = checkDirectory(dir);
  if (badDirectory !== undefined) return badDirectory;
  const lookup = findExecutable(command.file, variables.get('PATH') ?? '', dir);
  if (lookup.type === 'refused') return lookup;
  const env = Array.from(variables, ([key, value]) => `${key}=${value}`);
  const start = (stdio: ProgramStdio): SpawnOutcome =>
    spawnProgram({ file: lookup.path, argv: command.argv, env, dir, stdio });
  return command.tty ? startOnTerminal(command, dir, start) : startOnPipes(command, dir, start);
}

/** A lost home must not lock its owner out. */
function pickHome({ home }: User): string {
  return checkDirectory(home) === undefined ? home : '/';
}

type Start = (stdio: ProgramStdio) => SpawnOutcome;

function startOnTerminal(command: ExecCommand, dir: string, start: Start): StartedProcess | Refusal {
  const terminal = openTerminal({ rows: command.rows, cols: command.cols });
  const outcome = start({ type: 'terminal', path: terminal.path });
  if (outcome.type === 'started') {
    return { type: 'started', pid: outcome.pid, dir, io: { type: 'terminal', fds: terminal.fds } };
  }
  closeTerminal(terminal.fds);
  return refuse(`${command.file}: ${describeErrno(outcome.errno)}`);
}

function startOnPipes(command: ExecCommand, dir: string, start: Start): StartedProcess | Refusal {
  const fds: number[] = [];
  const open = (): { readFd: number; writeFd: number } => {
    const pipe = openPipe();
    fds.push(pipe.readFd, pipe.writeFd);
    return pipe;
  };
  try {
    const input = command.stdin ? open() : undefined;
    const stdin = input?.readFd ?? openNothing(fds);
    const stdout = open();
    const stderr = open();
    const outcome = start({ type: 'pipes', stdin, stdout: stdout.writeFd, stderr: stderr.writeFd });
    if (outcome.type === 'failed') return refuse(`${command.file}: ${describeErrno(outcome.errno)}`);
    const io = {
      type: 'pipes',
      stdin: input?.writeFd,
      stdout: stdout.readFd,
      stderr: stderr.readFd,
    } as const;
    keep(fds, [io.stdin, io.stdout, io.stderr]);
    return { type: 'started', pid: outcome.pid, dir, io };
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

function openNothing(fds: number[]): number {
  const fd = openSync('/dev/null', 'r');
  fds.push(fd);
  return fd;
}

function keep(fds: number[], kept: readonly (number | undefined)[]): void {
  const closing = fds.filter((fd) => !kept.includes(fd));
  fds.splice(0, fds.length, ...closing);
}
