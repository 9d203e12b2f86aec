import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const program = path.resolve(import.meta.dirname, '../../server/bin/sprites-server.sh');
const keptLogBytes = 1024 * 1024;

/** One run of the real server program. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | null>;
  #log = '';

  /** Spawns `sprites-server start` with exactly these settings beside PATH and HOME. */
  constructor(environment: Readonly<Record<string, string>>) {
    this.#child = spawn(program, ['start'], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#exit = new Promise((resolve) => {
      this.#child.once('error', (error) => this.#keep(String(error)));
      this.#child.once('close', resolve);
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#keep(text));
    }
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`the server did not start:\n${this.#log}`);
    return this.#child.pid;
  }

  /** The last MiB of what the server wrote. */
  get log(): string {
    return this.#log;
  }

  get hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Waits until `url` answers 200; throws with the log when the server ends or the time is over. */
  async waitUntilReady(url: string, timeoutMs: number): Promise<void> {
    const giveUpMs = performance.now() + timeoutMs;
    while (performance.now() < giveUpMs) {
      if (this.hasExited) throw new Error(`the server ended while starting:\n${this.#log}`);
      const ready = await fetch(url).then(
        (response) => response.ok,
        () => false,
      );
      if (ready) return;
      await sleep(20);
    }
    throw new Error(`the server was not ready within ${timeoutMs} ms:\n${this.#log}`);
  }

  /** Sends the signal and waits for the end; resolves to the exit code, null when a signal ended it. */
  async end(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL', timeoutMs = 30_000): Promise<number | null> {
    if (!this.hasExited) this.#child.kill(signal);
    const timer = setTimeout(() => {
      this.#keep(`\n(killed by the test: still there ${timeoutMs} ms after ${signal})\n`);
      this.#child.kill('SIGKILL');
    }, timeoutMs);
    try {
      return await this.#exit;
    } finally {
      clearTimeout(timer);
    }
  }

  #keep(text: string): void {
    this.#log = (this.#log + text).slice(-keptLogBytes);
  }
}

/** Runs another command of the server program to its end; throws with what it said when it fails. */
export async function runServerCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const child = spawn(program, [...args], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => err.push(bytes));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code === 0) return Buffer.concat(out).toString();
  const said = Buffer.concat([...out, ...err]).toString();
  throw new Error(`sprites-server ${args.join(' ')} failed with exit code ${code}:\n${said}`);
}
