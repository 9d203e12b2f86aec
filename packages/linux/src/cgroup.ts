import { readFileSync, watch, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listMounts } from './mount.ts';
import { hasCode } from './syscall.ts';

/** Where the host's cgroup hierarchies are mounted. */
export type CgroupLayout = {
  /** the version 2 hierarchy; it may have no controllers (hybrid hosts) */
  readonly unified: string;
  /** every hierarchy, the version 2 one included */
  readonly all: readonly string[];
};

/** Finds the hierarchies, or answers undefined when version 2 is mounted nowhere. */
export async function findCgroups(): Promise<CgroupLayout | undefined> {
  const mounts = (await listMounts()).filter((entry) => entry.type === 'cgroup' || entry.type === 'cgroup2');
  const unified = mounts.find((entry) => entry.type === 'cgroup2')?.target;
  if (unified === undefined) return undefined;
  return { unified, all: [...new Set(mounts.map((entry) => entry.target))] };
}

/** One path in every hierarchy of the host, whether or not it exists there. */
export class Cgroup {
  readonly path: string;
  readonly #layout: CgroupLayout;

  /** `path` is absolute within the hierarchies. */
  constructor(layout: CgroupLayout, path: string) {
    this.#layout = layout;
    this.path = path;
  }

  /** Moves a process (and so its later children) into the version 2 cgroup, made if missing. */
  async adopt(pid: number): Promise<void> {
    const dir = join(this.#layout.unified, this.path);
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, 'cgroup.procs'), String(pid));
  }

  /** Kills every process in it, frozen ones too, without waiting for their end. */
  async kill(): Promise<void> {
    try {
      await writeFile(join(this.#layout.unified, this.path, 'cgroup.kill'), '1', { flag: 'r+' });
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENODEV')) throw error;
    }
    // a runtime killed half-way may have put processes in one hierarchy and not yet in the other
    for (const pid of await this.#stragglers()) killQuietly(pid);
  }

  /** Asks the kernel to give up as much of its memory as it can: file pages, and with swap all others. */
  async reclaim(): Promise<void> {
    for (const root of this.#layout.all) {
      const dir = join(root, this.path);
      // version 2 has one file for it and version 1 another; less than what was asked for is an error of theirs
      await writeIfThere(join(dir, 'memory.reclaim'), '1T');
      await writeIfThere(join(dir, 'memory.force_empty'), '0');
    }
  }

  /** True while a process is in it. */
  async isPopulated(): Promise<boolean> {
    const events = await this.#readUnified('cgroup.events');
    return (events?.includes('populated 1') ?? false) || (await this.#stragglers()).length > 0;
  }

  /** Resolves when no process is in it any more (at once when it does not exist). */
  async waitEmpty(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#waitEvents((events) => !(events?.includes('populated 1') ?? false), signal);
  }

  /**
   * Stops every process where it is; they can still be killed. Rejects when they do not all stand still before the signal
   * aborts, as one that waits in the kernel does not; they go on then. Nothing is in it that is not killed and does not run.
   */
  async freeze(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#beginFreeze();
    try {
      await this.#waitEvents((events) => events === undefined || events.includes('frozen 1'), signal);
    } catch (error) {
      this.thaw();
      throw error;
    }
  }

  /** Lets frozen processes go on; false when there are none. Takes microseconds, and no turn in the thread pool. */
  thaw(): boolean {
    const dir = join(this.#layout.unified, this.path);
    try {
      writeFileSync(join(dir, 'cgroup.freeze'), '0', { flag: 'r+' });
      return readFileSync(join(dir, 'cgroup.events'), 'utf8').includes('populated 1');
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENODEV')) return false;
      throw error;
    }
  }

  /** `half` when a freeze was begun and some process still runs. */
  async frozen(): Promise<'yes' | 'no' | 'half'> {
    if ((await this.#readUnified('cgroup.freeze'))?.trim() !== '1') return 'no';
    return (await this.#readUnified('cgroup.events'))?.includes('frozen 1') === true ? 'yes' : 'half';
  }

  /** Removes it in every hierarchy, with what a runtime made below it. It must hold no process. */
  async remove(): Promise<void> {
    await Promise.all(this.#layout.all.map((root) => removeTree(join(root, this.path))));
  }

  async #beginFreeze(): Promise<void> {
    try {
      await writeFile(join(this.#layout.unified, this.path, 'cgroup.freeze'), '1', { flag: 'r+' });
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENODEV')) throw error;
    }
  }

  async #waitEvents(isOver: (events: string | undefined) => boolean, signal: AbortSignal): Promise<void> {
    while (!isOver(await this.#readUnified('cgroup.events'))) await this.#changed(isOver, signal);
  }

  async #changed(isOver: (events: string | undefined) => boolean, signal: AbortSignal): Promise<void> {
    const file = join(this.#layout.unified, this.path, 'cgroup.events');
    const done = new AbortController();
    signal.throwIfAborted();
    try {
      await new Promise<void>((resolve, reject) => {
        const watcher = watch(file, { signal: AbortSignal.any([signal, done.signal]) });
        watcher.on('change', () => resolve());
        watcher.on('error', reject);
        signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: done.signal });
        // it may have happened between the caller's look and the watch
        this.#readUnified('cgroup.events').then((events) => {
          if (isOver(events)) resolve();
        }, reject);
      });
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    } finally {
      done.abort();
    }
  }

  async #stragglers(): Promise<readonly number[]> {
    const lists = await Promise.all(
      this.#layout.all.map((root) => readIfThere(join(root, this.path, 'cgroup.procs'))),
    );
    const pids = lists.flatMap((text) => text?.split('\n').filter((line) => line !== '') ?? []);
    return [...new Set(pids)].map(Number).filter((pid) => pid > 1);
  }

  #readUnified(file: string): Promise<string | undefined> {
    return readIfThere(join(this.#layout.unified, this.path, file));
  }
}

async function writeIfThere(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: 'r+' });
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENODEV', 'EAGAIN', 'EBUSY', 'EINTR')) throw error;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    // ENODEV: the cgroup was removed while its file was open
    if (hasCode(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP')) return undefined;
    throw error;
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

async function removeTree(dir: string): Promise<void> {
  try {
    const entries = await readdir(dir, { withFileTypes: true });
    for (const entry of entries) if (entry.isDirectory()) await removeTree(join(dir, entry.name));
    await rmdir(dir);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
