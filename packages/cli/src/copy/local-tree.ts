import type { Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';

/** Something in a directory of this machine. Paths are bytes, since names need not be UTF-8. */
export type LocalEntry = {
  readonly type: 'file' | 'directory' | 'symlink';
  readonly path: Buffer;
  /** the path below the top, its parts separated by `/` */
  readonly name: Buffer;
  readonly stats: Stats;
  /** where a symlink points */
  readonly target?: Buffer;
};

const slash = Buffer.from('/');

/** Everything in a directory, at any depth, the top first. Devices, FIFOs and sockets are left out. */
export async function* walkLocal(top: string): AsyncGenerator<LocalEntry> {
  const path = Buffer.from(top);
  yield { type: 'directory', path, name: Buffer.from('.'), stats: await lstat(path) };
  yield* walkBelow(path, Buffer.alloc(0));
}

async function* walkBelow(directory: Buffer, prefix: Buffer): AsyncGenerator<LocalEntry> {
  const names = await readdir(directory, 'buffer');
  names.sort(Buffer.compare);
  for (const one of names) {
    const path = Buffer.concat([directory, slash, one]);
    const name = prefix.length === 0 ? one : Buffer.concat([prefix, slash, one]);
    const stats = await lstat(path);
    if (stats.isFile()) yield { type: 'file', path, name, stats };
    else if (stats.isSymbolicLink()) {
      yield { type: 'symlink', path, name, stats, target: await readlink(path, 'buffer') };
    } else if (stats.isDirectory()) {
      yield { type: 'directory', path, name, stats };
      yield* walkBelow(path, name);
    }
  }
}
