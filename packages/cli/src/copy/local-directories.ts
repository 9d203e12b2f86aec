import { lstatSync, mkdirSync } from 'node:fs';
import { CliError } from '../cli-error.ts';

/** A directory that is filled from a sprite. Nothing is reached through a symlink that is, or was put, below it. */
export class LocalDirectories {
  readonly #top: Buffer;
  readonly #known = new Set<string>();

  /** `top` must be there. */
  constructor(top: string) {
    this.#top = Buffer.from(top);
  }

  /** Makes the directories of these names, one in the other. What was there must be a directory, and no symlink to one. */
  enter(parts: readonly string[]): void {
    for (let count = 1; count <= parts.length; count++) {
      const key = parts.slice(0, count).join('/');
      if (this.#known.has(key)) continue;
      const path = this.pathOf(parts.slice(0, count));
      make(path);
      if (!lstatSync(path).isDirectory()) {
        throw new CliError(`${path.toString()} is in the way: it is no directory`);
      }
      this.#known.add(key);
    }
  }

  /** The path of an entry; its parts have one character for each byte. */
  pathOf(parts: readonly string[]): Buffer {
    return Buffer.concat([this.#top, ...parts.map((part) => Buffer.from(`/${part}`, 'latin1'))]);
  }
}

function make(path: Buffer): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'EEXIST') throw error;
  }
}
