import { appendFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../log.ts';
import type { LearntName } from './address-book.ts';

/** how many lines more than twice those that count a file may have before it is written anew */
const slackLines = 1024;

type Size = { readonly lines: number; readonly mostLines: number };

/**
 * Keeps in a file for each sprite which names led it to which addresses, for the next server process: machines and their
 * connections outlive this one. Nothing is synced: what a process wrote outlives it, and a host that goes down takes the
 * connections along. Calls about one sprite must not overlap.
 */
export class NameJournal {
  readonly #directory: string;
  readonly #log: Log;
  readonly #sizes = new Map<string, Size>();

  private constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  static async open(directory: string, log: Log): Promise<NameJournal> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return new NameJournal(directory, log);
  }

  /**
   * Adds names; `known` gives all that count, when the file has grown enough to be written anew. A failure is logged: it costs
   * connections only if this process ends and the policy changes later.
   */
  async append(
    spriteId: string,
    names: readonly LearntName[],
    known: () => readonly LearntName[],
  ): Promise<void> {
    if (names.length === 0) return;
    const { lines, mostLines } = this.#sizes.get(spriteId) ?? { lines: 0, mostLines: slackLines };
    try {
      if (lines + names.length > mostLines) {
        await this.#replace(spriteId, known());
        return;
      }
      await appendFile(this.#file(spriteId), toText(names), { mode: 0o600 });
      this.#sizes.set(spriteId, { lines: lines + names.length, mostLines });
    } catch (error) {
      this.#log.warn({ err: error, sprite: spriteId }, 'the names a sprite asked for could not be kept');
    }
  }

  /** What an earlier process noted, the oldest first; nothing, which is logged, when it cannot be read. */
  async read(spriteId: string): Promise<readonly LearntName[]> {
    try {
      const text = await readIfThere(this.#file(spriteId));
      const names = fromText(text);
      if (text.endsWith('\n') || text === '') this.#sizes.set(spriteId, sizeOf(names));
      // the process ended in the middle of a line, to which the next one would be added
      else await this.#replace(spriteId, names);
      return names;
    } catch (error) {
      this.#log.warn({ err: error, sprite: spriteId }, 'the names a sprite asked for could not be read');
      return [];
    }
  }

  async remove(spriteId: string): Promise<void> {
    this.#sizes.delete(spriteId);
    await rm(this.#file(spriteId), { force: true });
  }

  /** Forgets all sprites but these. */
  async retain(spriteIds: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      if (!spriteIds.has(name)) await rm(join(this.#directory, name), { force: true });
    }
  }

  /** Removes the directory. */
  async destroy(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #replace(spriteId: string, names: readonly LearntName[]): Promise<void> {
    const file = this.#file(spriteId);
    await writeFile(`${file}.new`, toText(names), { mode: 0o600 });
    await rename(`${file}.new`, file);
    this.#sizes.set(spriteId, sizeOf(names));
  }

  #file(spriteId: string): string {
    return join(this.#directory, spriteId);
  }
}

function sizeOf({ length }: readonly LearntName[]): Size {
  return { lines: length, mostLines: 2 * length + slackLines };
}

function toText(names: readonly LearntName[]): string {
  return names.map(({ name, address }) => `${address} ${name}\n`).join('');
}

function fromText(text: string): readonly LearntName[] {
  return [...text.matchAll(/^([0-9.]+) ([a-z0-9._-]*)\n/gm)].map(([, address = '', name = '']) => ({
    name,
    address,
  }));
}

async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, 'latin1');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}
