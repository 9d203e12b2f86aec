import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** The kernel takes paths of 4096 bytes; a name below needs 256 of them. */
const mostPathBytes = 2048;
const slash = Buffer.from('/');

/** A directory of a file system that nobody else writes to: every step to it is known to be a directory, too. */
export type Place = {
  readonly path: Buffer;
  /** what is open so that the path stays short */
  readonly handle?: FileHandle;
};

/** Path of a name in a directory. */
export function pathIn(place: Place, name: Buffer): Buffer {
  return Buffer.concat([place.path, slash, name]);
}

/** The directory of that name, which the caller has seen to be one. Close it when everything below is done. */
export async function enter(place: Place, name: Buffer): Promise<Place> {
  const path = pathIn(place, name);
  if (path.length <= mostPathBytes) return { path };
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  return { path: Buffer.from(`/proc/self/fd/${handle.fd}`), handle };
}

export async function leave(place: Place): Promise<void> {
  await place.handle?.close();
}
