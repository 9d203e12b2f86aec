import { constants } from 'node:fs';
import { chmod, lchown, lstat, mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SpriteError } from '@sprites/contract';

const maxTextBytes = 16 * 1024 ** 2;

/** A directory tree from outside, edited without following any of its links. Nobody else may change it meanwhile. */
export class Tree {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Text of a regular file, or undefined when it is missing. */
  async read(path: string): Promise<string | undefined> {
    const file = await this.#resolve(path);
    const found = await lstat(file).catch(() => undefined);
    if (found === undefined) return undefined;
    if (!found.isFile()) throw refuse(path, 'is not a regular file');
    if (found.size > maxTextBytes) throw refuse(path, 'is too large');
    return readFile(file, 'utf8');
  }

  /** Writes a file of root's; an existing one keeps its mode and group. */
  async write(path: string, text: string, mode = 0o644): Promise<void> {
    const file = await this.#resolve(path);
    const old = await lstat(file).catch(() => undefined);
    if (old !== undefined && !old.isFile()) throw refuse(path, 'is not a regular file');
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const unfinished = `${file}.sprites-new`;
    {
      await using handle = await open(unfinished, flags, 0o600);
      await handle.writeFile(text);
    }
    await lchown(unfinished, 0, old?.gid ?? 0);
    await chmod(unfinished, old === undefined ? mode : old.mode & 0o777);
    await rename(unfinished, file);
  }

  /** Makes a directory unless it is there; then it is left as it is. */
  async makeDirectory(path: string, { owner = 0, mode = 0o755 } = {}): Promise<void> {
    const directory = await this.#resolve(path);
    const old = await lstat(directory).catch(() => undefined);
    if (old?.isDirectory()) return;
    if (old !== undefined) throw refuse(path, 'is not a directory');
    await mkdir(directory, { mode });
    await lchown(directory, owner, owner);
  }

  /** True when there is a directory at the path. */
  async hasDirectory(path: string): Promise<boolean> {
    const found = await lstat(await this.#resolve(path)).catch(() => undefined);
    return found?.isDirectory() ?? false;
  }

  /** True when there is anything at the path; links in the way to it count as nothing. */
  async has(path: string): Promise<boolean> {
    return lstat(join(this.#root, path)).then(
      () => true,
      () => false,
    );
  }

  async #resolve(path: string): Promise<string> {
    for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) {
      const found = await lstat(join(this.#root, parent)).catch(() => undefined);
      if (found !== undefined && !found.isDirectory()) throw refuse(parent, 'is not a directory');
    }
    return join(this.#root, path);
  }
}

function refuse(path: string, what: string): SpriteError {
  return new SpriteError(
    'invalid_request',
    `/${path} of the image ${what}; import an ordinary Linux root file system`,
  );
}
