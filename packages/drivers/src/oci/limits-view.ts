import { spawn } from 'node:child_process';
import { access, mkdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import type { Clock, Log } from '@sprites/core';
import { hasCode, identifyProcess, isAlive, type ProcessIdentity, unmountLazily } from '@sprites/linux';
import { readBootId } from './machine-state.ts';

/** Files that show a machine its own limits where the kernel would show the host's. */
const files = [
  '/proc/cpuinfo',
  '/proc/loadavg',
  '/proc/meminfo',
  '/proc/stat',
  '/proc/swaps',
  '/proc/uptime',
  '/sys/devices/system/cpu/online',
];

const program = 'lxcfs';
const startTimeoutMs = 5000;
const answerTimeoutMs = 5000;
const lookEveryMs = 5000;

export type LimitsViewOptions = {
  /** run directory of the server */
  readonly runDir: string;
  readonly clock: Clock;
  readonly log: Log;
};

/** What shows a machine its limits: a file of the host, and where the machine has it. */
export type ViewMount = { readonly source: string; readonly destination: string };

/**
 * An lxcfs of this server's own. It outlives the server, as the machines that show its files do. One that died or hangs is
 * replaced for machines that start; those that had it take its files away themselves and see the host's again.
 */
export class LimitsView {
  readonly #options: LimitsViewOptions;
  readonly #paths: ViewPaths;
  readonly #closing = new AbortController();
  #watching: Promise<void> = Promise.resolve();
  #isUp = false;

  constructor(options: LimitsViewOptions) {
    this.#options = options;
    this.#paths = pathsOf(options.runDir);
  }

  /** Finds the one of an earlier server or starts one, and watches it until `close`. Without lxcfs nothing happens. */
  async open(): Promise<void> {
    if (!(await isInstalled())) {
      this.#options.log.info({}, 'sprites see memory and load of the host, as lxcfs is not installed');
      return;
    }
    await this.#look();
    this.#watching = this.#watch();
  }

  /** What a machine that starts now is to be given. */
  async mounts(): Promise<readonly ViewMount[]> {
    if (!this.#isUp || !(await this.#answers())) return [];
    return files.map((destination) => ({ source: join(this.#paths.mount, destination), destination }));
  }

  /** Ends the watch; lxcfs stays. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the server is closing'));
    await this.#watching;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#options.clock.sleep(lookEveryMs, signal).catch(() => {
        // closing
      });
      if (!signal.aborted) await this.#look();
    }
  }

  async #look(): Promise<void> {
    if (await this.#answers()) {
      this.#isUp = true;
      return;
    }
    if (this.#isUp) this.#options.log.warn({}, 'lxcfs is gone or hangs; starting another');
    this.#isUp = false;
    try {
      await releaseLimitsView(this.#options.runDir);
      await this.#start();
      this.#isUp = true;
    } catch (error) {
      this.#options.log.warn(
        { err: error },
        'sprites see memory and load of the host, as lxcfs does not start',
      );
    }
  }

  async #start(): Promise<void> {
    const { mount, pidFile, state } = this.#paths;
    // machines pass through, as they do to their other files
    await mkdir(mount, { recursive: true, mode: 0o711 });
    const args = ['--foreground', '--enable-cfs', '--enable-loadavg', '--pidfile', pidFile, mount];
    const child = spawn(program, args, { stdio: 'ignore', detached: true });
    const failed = new Promise<never>((_, reject) => child.once('error', reject));
    failed.catch(() => {
      // told by the wait below
    });
    child.unref();
    const identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
    if (identity !== undefined) await writeProcess(state, identity);
    await Promise.race([failed, this.#untilAnswers()]);
  }

  async #untilAnswers(): Promise<void> {
    const { clock } = this.#options;
    const deadline = clock.now() + startTimeoutMs;
    while (!(await this.#answers())) {
      if (clock.now() > deadline) throw new SpriteError('unavailable', 'lxcfs did not answer');
      await clock.sleep(10, this.#closing.signal);
    }
  }

  /** What hangs holds up a reader in the kernel until it is killed. */
  async #answers(): Promise<boolean> {
    const { state, mount } = this.#paths;
    if ((await readProcess(state)) === undefined) return false;
    const done = new AbortController();
    const read = readFile(join(mount, 'proc/uptime')).then(
      () => true,
      () => false,
    );
    const late = this.#options.clock.sleep(answerTimeoutMs, done.signal).then(
      () => false,
      () => false,
    );
    const answers = await Promise.race([read, late]);
    done.abort(new Error('it is known'));
    return answers;
  }
}

/** Ends the lxcfs of a run directory, if there is one, and removes its mount. */
export async function releaseLimitsView(runDir: string): Promise<void> {
  const { dir, mount, pidFile, state } = pathsOf(runDir);
  const identity = await readProcess(state);
  if (identity !== undefined) killQuietly(identity.pid);
  try {
    while (await unmountLazily(mount));
    await rm(pidFile, { force: true });
    await rm(state, { force: true });
    await rmdir(mount);
    await rmdir(dir);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

type ViewPaths = {
  readonly dir: string;
  readonly mount: string;
  readonly pidFile: string;
  readonly state: string;
};

function pathsOf(runDir: string): ViewPaths {
  const dir = join(runDir, 'view');
  return { dir, mount: join(dir, 'lxcfs'), pidFile: join(dir, 'lxcfs.pid'), state: join(dir, 'lxcfs.json') };
}

async function isInstalled(): Promise<boolean> {
  const places = (process.env.PATH ?? '').split(delimiter).map((dir) => join(dir, program));
  const found = await Promise.all(
    places.map((place) =>
      access(place).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}

async function writeProcess(path: string, identity: ProcessIdentity): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify({ ...identity, bootId: await readBootId() }), {
    mode: 0o600,
  });
  await rename(`${path}.new`, path);
}

/** The process, while it lives. */
async function readProcess(path: string): Promise<ProcessIdentity | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '{}');
  const { pid, startTicks, bootId } = Object(JSON.parse(text));
  if (typeof pid !== 'number' || typeof startTicks !== 'number' || bootId !== (await readBootId()))
    return undefined;
  return isAlive({ pid, startTicks }) ? { pid, startTicks } : undefined;
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}
