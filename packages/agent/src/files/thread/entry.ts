import { readlinkSync, type Stats } from 'node:fs';
import { type FileEntry, formatMode } from '@sprites/contract/files';
import { type BytePath, isUtf8, toKernel, toText } from './byte-path.ts';

/** Beyond it RFC 3339 has no form that all clients read. */
const latestMs = Date.UTC(9999, 11, 31);

/** An entry as clients see it. `target` is where a symlink points. */
export function toEntry(path: BytePath, stats: Stats, target?: BytePath): FileEntry {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return {
    name: toText(name),
    path: toText(path),
    type: typeOf(stats),
    size: stats.size,
    mode: formatMode(stats.mode),
    modTime: new Date(Math.min(Math.max(stats.mtimeMs, 0), latestMs)).toISOString(),
    isDir: stats.isDirectory(),
    uid: stats.uid,
    gid: stats.gid,
    ...(target === undefined ? {} : { target: toText(target) }),
    ...(isUtf8(name) ? {} : { nameBytes: toKernel(name).toString('base64') }),
  };
}

function typeOf(stats: Stats): FileEntry['type'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'symlink' : 'other';
}

/** Where a symlink points; undefined when it cannot be read. */
export function readTarget(path: Buffer): BytePath | undefined {
  try {
    return readlinkSync(path, 'latin1');
  } catch {
    // It is gone, or no symlink any more: then it points nowhere.
    return undefined;
  }
}
