import { constants, fchmodSync, fchownSync, futimesSync, openSync } from 'node:fs';
import { attempt } from './attempt.ts';
import { type BytePath, join } from './byte-path.ts';
import type { Directory } from './directory.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/** What a new file or directory is given; what is undefined stays as it is. */
export type FileAttributes = {
  readonly mode: number | undefined;
  /** in `s` since 1970 */
  readonly modTime: number | undefined;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
};

/** Makes an empty file in place of whatever has its name, directories excepted. The receiver closes it. */
export function createFile(directory: Directory, name: BytePath): number {
  directory.removeName(name);
  const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
  return attempt(join(directory.path, name), () => openSync(directory.at(name), flags, 0o600));
}

export function setAttributes(fd: number, { mode, modTime, owner }: FileAttributes): void {
  if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
  if (mode !== undefined) fchmodSync(fd, mode);
  if (modTime !== undefined) futimesSync(fd, modTime, modTime);
}
