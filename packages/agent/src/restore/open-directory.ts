import { closeSync, constants, openSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';

const path = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW } = constants;
/** Each level holds a descriptor or two. */
export const deepest = 400;

/**
 * A directory held open: a name in it cannot lead elsewhere, whatever programs do to the path meanwhile. Names have one
 * character per byte.
 */
export class OpenDirectory implements Disposable {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  static open(at: Buffer): OpenDirectory {
    return new OpenDirectory(openSync(at, path | O_DIRECTORY | O_NOFOLLOW));
  }

  /** The directory of that name in it; a link is an error, as is anything else. */
  child(name: string): OpenDirectory {
    return OpenDirectory.open(this.at(name));
  }

  /** The path of a name in it, for this process, while it is open. */
  at(name: string): Buffer {
    return Buffer.from(`/proc/self/fd/${this.#fd}/${name}`, 'latin1');
  }

  names(): readonly string[] {
    return readdirSync(`/proc/self/fd/${this.#fd}`, 'latin1');
  }

  /** Removes a name with all that is below it. */
  remove(name: string, depth = 0): void {
    try {
      unlinkSync(this.at(name));
      return;
    } catch (error) {
      if (!hasCode(error, 'EISDIR', 'EPERM')) throw error;
    }
    if (depth > deepest) throw new Error('too many directories lie in each other');
    {
      using directory = this.child(name);
      for (const inner of directory.names()) directory.remove(inner, depth + 1);
    }
    rmdirSync(this.at(name));
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** True for an error of the operating system with one of these codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return (
    error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code)
  );
}
