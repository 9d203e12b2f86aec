import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestServer } from '@sprites/testkit';

const program = path.resolve(import.meta.dirname, '../../packages/cli/bin/sprite.js');
const keptCharacters = 4000;

/** The built `sprite` command as a user of the bench's server has it, with a home of its own. */
export class SpriteCommand implements AsyncDisposable {
  readonly #home: string;
  readonly #environment: Readonly<Record<string, string>>;

  private constructor(home: string, { baseUrl, token }: TestServer) {
    this.#home = home;
    this.#environment = {
      HOME: home,
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      SPRITES_API_URL: baseUrl,
      SPRITE_TOKEN: token,
    };
  }

  /** Makes a home for it, and has its code compiled once, as it is for everybody after the first call. */
  static async open(server: TestServer): Promise<SpriteCommand> {
    const command = new SpriteCommand(await mkdtemp(path.join(tmpdir(), 'bench-sprite-')), server);
    await command.run(['list']);
    return command;
  }

  /** Starts `sprite` without input; what it writes to stderr is for the caller. */
  start(args: readonly string[]): ChildProcess {
    return spawn(process.execPath, [program, ...args], {
      env: this.#environment,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }

  /** Runs `sprite` to its end; throws with what it said when it fails. */
  async run(args: readonly string[]): Promise<void> {
    await this.finish(this.start(args));
  }

  /** Waits for the end of what was started; throws with what it said since when it failed. */
  async finish(running: ChildProcess): Promise<void> {
    let said = '';
    running.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-keptCharacters);
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      running.once('error', reject);
      running.once('close', resolve);
    });
    if (code !== 0) throw new Error(`${running.spawnargs.join(' ')} failed with exit code ${code}:\n${said}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#home, { recursive: true });
  }
}
