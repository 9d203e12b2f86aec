import { constants, existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SpriteError } from '@sprites/contract/errors';
import {
  parseServiceDefinition,
  parseServiceName,
  type ServiceDefinition,
  startOrder,
} from '@sprites/contract/services';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const largestFileBytes = 8 * 1024 * 1024;
/** Most services of a sprite; files beyond it are not read. */
export const mostServices = 100;

/** A service as it is kept on the sprite's disk. */
export type StoredService = {
  readonly definition: ServiceDefinition;
  /** whether someone stopped it, so that it is not started by itself */
  readonly stopped: boolean;
};

/** The services' definitions, one file each. They are on the disk, so checkpoints and forks have them. */
export class ServiceFiles {
  readonly #dir: string;
  #drafts = 0;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /**
   * Reads all definitions. Programs of the sprite may have written anything there: what is no definition is left alone and
   * told to `onBad`. Never throws.
   */
  async readAll(onBad: (name: string, reason: string) => void): Promise<ReadonlyMap<string, StoredService>> {
    const found = new Map<string, StoredService>();
    for (const file of (await this.#list()).slice(0, mostServices)) {
      const name = file.slice(0, -'.json'.length);
      try {
        parseServiceName(name);
        found.set(name, parseStored(name, JSON.parse(await readSmall(join(this.#dir, file)))));
      } catch (error) {
        onBad(name, error instanceof Error ? error.message : 'cannot be read');
      }
    }
    return withoutCycles(found, onBad);
  }

  /** Writes a definition so that it is there after any crash, or not at all. Throws `out_of_space`. */
  async write(name: string, { definition, stopped }: StoredService): Promise<void> {
    const draft = join(this.#dir, `.draft-${this.#drafts++}`);
    try {
      await mkdir(this.#dir, { recursive: true, mode: 0o700 });
      await rm(draft, { force: true, recursive: true });
      await writeSynced(draft, `${JSON.stringify({ version: 1, stopped, definition }, undefined, 2)}\n`);
      await rename(draft, this.#path(name));
      await syncDirectory(this.#dir);
    } catch (cause) {
      await rm(draft, { force: true }).catch(() => undefined);
      throw toSpriteError(`service ${name} cannot be saved`, cause);
    }
  }

  /** Removes a definition for good. */
  async remove(name: string): Promise<void> {
    try {
      await rm(this.#path(name), { force: true, recursive: true });
      await syncDirectory(this.#dir);
    } catch (cause) {
      throw toSpriteError(`service ${name} cannot be removed`, cause);
    }
  }

  #path(name: string): string {
    return join(this.#dir, `${name}.json`);
  }

  async #list(): Promise<readonly string[]> {
    // Without services nothing is asked of Node's threads, which are started for the first such work.
    if (!existsSync(this.#dir)) return [];
    try {
      const files = await readdir(this.#dir);
      for (const file of files) {
        if (file.startsWith('.draft-')) await rm(join(this.#dir, file), { force: true, recursive: true });
      }
      return files.filter((file) => !file.startsWith('.') && file.endsWith('.json')).sort();
    } catch {
      // A broken disk must not keep the sprite from starting.
      return [];
    }
  }
}

function parseStored(name: string, value: unknown): StoredService {
  const stored = { version: 0, stopped: false, definition: undefined, ...Object(value) };
  if (stored.version !== 1) throw new Error(`version ${String(stored.version).slice(0, 20)} is not known`);
  return { definition: parseServiceDefinition(name, stored.definition), stopped: stored.stopped === true };
}

function withoutCycles(
  found: Map<string, StoredService>,
  onBad: (name: string, reason: string) => void,
): ReadonlyMap<string, StoredService> {
  const needs = new Map(Array.from(found, ([name, { definition }]) => [name, definition.needs]));
  for (const name of [...found.keys()]) {
    try {
      startOrder(needs, name);
    } catch (error) {
      found.delete(name);
      needs.delete(name);
      onBad(name, error instanceof Error ? error.message : 'needs itself');
    }
  }
  return found;
}

/** Neither a link nor a pipe nor a huge file must keep the agent waiting or busy. */
async function readSmall(path: string): Promise<string> {
  await using file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  const stats = await file.stat();
  if (!stats.isFile()) throw new Error('is no file');
  if (stats.size > largestFileBytes) throw new Error(`is larger than ${largestFileBytes} bytes`);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(stats.size), 0, stats.size, 0);
  return buffer.toString('utf8', 0, bytesRead);
}

async function writeSynced(path: string, text: string): Promise<void> {
  await using file: FileHandle = await open(path, 'wx', 0o600);
  await file.writeFile(text);
  await file.sync();
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}

function toSpriteError(what: string, cause: unknown): unknown {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code !== 'ENOSPC' && code !== 'EDQUOT' && code !== 'EROFS') return cause;
  const message = `${what}: the sprite's disk is full; make room on it`;
  return new SpriteError('out_of_space', message, { cause });
}
