import type { BigIntStats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { hasCode } from '@sprites/linux';
import { type Place, pathIn } from './place.ts';

export type Kind = 'directory' | 'file' | 'symlink' | 'fifo' | 'socket' | 'whiteout' | 'other';

/** What a name stands for, without following it. */
export type Found = { readonly kind: Kind; readonly path: Buffer; readonly stats: BigIntStats };

/** Looks at a name in a directory; undefined when there is none. */
export async function look(place: Place, name: Buffer): Promise<Found | undefined> {
  const path = pathIn(place, name);
  try {
    const stats = await lstat(path, { bigint: true });
    return { kind: kindOf(stats), path, stats };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Looks at a directory itself. */
export async function lookAt(place: Place): Promise<Found> {
  const path = Buffer.concat([place.path, Buffer.from('/.')]);
  const stats = await lstat(path, { bigint: true });
  return { kind: kindOf(stats), path, stats };
}

/** The names in a directory, in the order of their bytes. */
export async function listNames({ path }: Place): Promise<Buffer[]> {
  return (await readdir(path, { encoding: 'buffer' })).sort(Buffer.compare);
}

function kindOf(stats: BigIntStats): Kind {
  if (stats.isDirectory()) return 'directory';
  if (stats.isFile()) return 'file';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isSocket()) return 'socket';
  return stats.isCharacterDevice() && stats.rdev === 0n ? 'whiteout' : 'other';
}
