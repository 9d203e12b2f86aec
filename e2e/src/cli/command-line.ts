import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ServerUnderTest } from '../server.ts';
import { openTerminal, type Terminal } from './terminal.ts';

const entry = fileURLToPath(new URL('../../../packages/cli/bin/sprite.js', import.meta.url));

/** How one `sprite` process ended. */
export type Ended = {
  readonly code: number;
  readonly stdout: Buffer;
  readonly text: string;
  readonly stderr: string;
};

export type RunOptions = {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** called with the running process */
  readonly during?: (pid: number, said: () => string) => Promise<void>;
};

/** The built command line with a home and a working directory of its own; `close` removes both. */
export class CommandLine {
  readonly home: string;
  readonly #env: Readonly<Record<string, string>>;

  private constructor(home: string, env: Readonly<Record<string, string>>) {
    this.home = home;
    this.#env = env;
  }

  /** Opens one that is not logged in anywhere. */
  static async open(): Promise<CommandLine> {
    const home = await mkdtemp(path.join(tmpdir(), 'sprites-cli-'));
    const { PATH } = process.env;
    return new CommandLine(home, {
      HOME: home,
      PATH: PATH ?? '/usr/bin:/bin',
      TERM: 'xterm-256color',
      SHELL: '/bin/bash',
    });
  }

  /** Opens one that is logged in to the server. */
  static async openFor({ baseURL, token }: Pick<ServerUnderTest, 'baseURL' | 'token'>): Promise<CommandLine> {
    const cli = await CommandLine.open();
    const login = await cli.run(['login', baseURL], { input: `${token}\n` });
    if (login.code !== 0) throw new Error(`login failed: ${login.stderr}`);
    return cli;
  }

  get file(): string {
    return path.join(this.home, '.sprites', 'sprites.json');
  }

  /** Runs `sprite` without a terminal to its end. */
  async run(args: readonly string[], { input = '', env, during }: RunOptions = {}): Promise<Ended> {
    const child = spawn(process.execPath, [entry, ...args], {
      cwd: this.home,
      env: { ...this.#env, ...env },
      stdio: 'pipe',
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    // A command may end before it has read its input.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    const closed = new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve(code ?? (signal === null ? -1 : -2)));
    });
    await during?.(child.pid ?? 0, () => Buffer.concat(stdout).toString());
    const code = await closed;
    const bytes = Buffer.concat(stdout);
    return { code, stdout: bytes, text: bytes.toString(), stderr: Buffer.concat(stderr).toString() };
  }

  /** Runs `sprite` on a terminal. */
  terminal(args: readonly string[], env: Readonly<Record<string, string>> = {}): Terminal {
    return openTerminal(process.execPath, [entry, ...args], {
      cwd: this.home,
      env: { ...this.#env, ...env },
    });
  }

  /** Runs a shell script without a terminal; `$0` and `$1` run `sprite`. Returns what it wrote to stdout. */
  async shell(script: string): Promise<string> {
    const { stdout } = await promisify(execFile)('bash', ['-c', script, process.execPath, entry], {
      cwd: this.home,
      env: this.#env,
    });
    return stdout;
  }

  /** Runs a shell script on a terminal; `$0` and `$1` run `sprite`, the arguments follow. */
  terminalShell(script: string, args: readonly string[]): Terminal {
    const words = ['-c', script, process.execPath, entry, ...args];
    return openTerminal('bash', words, { cwd: this.home, env: this.#env });
  }

  /** Sends a signal to the process that a shell started. */
  async signalChild(shellPid: number, signal: NodeJS.Signals): Promise<void> {
    const children = await readFile(`/proc/${shellPid}/task/${shellPid}/children`, 'utf8');
    process.kill(Number(children.trim()), signal);
  }

  close(): Promise<void> {
    return rm(this.home, { recursive: true, force: true });
  }
}
