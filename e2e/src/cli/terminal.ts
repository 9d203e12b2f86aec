import { setTimeout as sleep } from 'node:timers/promises';
import { type IPty, spawn } from '@lydell/node-pty';

const pollMs = 20;
const patienceMs = 20_000;

/** Starts a program on a terminal of 80 columns and 24 rows. */
export function openTerminal(
  file: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Terminal {
  return new Terminal(spawn(file, [...args], { name: 'xterm-256color', cols: 80, rows: 24, ...options }));
}

/** A program on a pseudo-terminal, as a person at it sees and uses it. */
export class Terminal {
  readonly #pty: IPty;
  readonly #ended: Promise<number>;
  #screen = '';
  #read = 0;

  constructor(pty: IPty) {
    this.#pty = pty;
    pty.onData((text) => {
      this.#screen += text;
    });
    this.#ended = new Promise((resolve) => {
      pty.onExit(({ exitCode, signal }) => resolve(signal ? 128 + signal : exitCode));
    });
  }

  /** everything shown so far */
  get screen(): string {
    return this.#screen;
  }

  get pid(): number {
    return this.#pty.pid;
  }

  type(text: string): void {
    this.#pty.write(text);
  }

  resize(cols: number, rows: number): void {
    this.#pty.resize(cols, rows);
  }

  signal(signal: NodeJS.Signals): void {
    this.#pty.kill(signal);
  }

  /** Waits until the text or pattern shows up after what earlier waits have seen, and returns it. */
  async see(pattern: string | RegExp): Promise<string> {
    const giveUpAt = Date.now() + patienceMs;
    for (;;) {
      const rest = this.#screen.slice(this.#read);
      const match = typeof pattern === 'string' ? findText(rest, pattern) : pattern.exec(rest);
      if (match !== undefined && match !== null) {
        this.#read += match.index + match[0].length;
        return match[0];
      }
      if (Date.now() > giveUpAt) {
        throw new Error(`no ${String(pattern)} on the screen: ${JSON.stringify(this.#screen.slice(-2000))}`);
      }
      await sleep(pollMs);
    }
  }

  /** The exit code, 128 + n after signal n. */
  async end(): Promise<number> {
    const code = await Promise.race([this.#ended, sleep(patienceMs, undefined, { ref: false })]);
    if (code !== undefined) return code;
    this.#pty.kill('SIGKILL');
    throw new Error(`still running: ${JSON.stringify(this.#screen.slice(-2000))}`);
  }
}

function findText(text: string, part: string): { readonly 0: string; readonly index: number } | undefined {
  const index = text.indexOf(part);
  return index < 0 ? undefined : { 0: part, index };
}
