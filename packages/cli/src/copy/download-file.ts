import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { chmod, open, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import type { FileInfo, SpriteFilesystem } from '@sprites/sdk';
import { CliError } from '../cli-error.ts';
import type { CopyMeter } from './copy-meter.ts';
import { hashFile } from './local-checksum.ts';
import { withRetries } from './retry.ts';

/** Copies one file out of the sprite, with mode and time, and compares checksums. It goes on where an attempt before ended. */
export async function downloadFile(
  files: SpriteFilesystem,
  { info, dest }: { readonly info: FileInfo; readonly dest: string },
  meter: CopyMeter,
): Promise<void> {
  meter.begin(info.path, info.size);
  const identity = createHash('sha256').update(`${info.path}\n${info.size}\n${info.modTime.getTime()}`);
  const name = `.${path.basename(dest).slice(0, 200)}.${identity.digest('hex').slice(0, 12)}.part`;
  const part = path.join(path.dirname(dest), name);
  const ours = await withRetries(() => fetchRest(files, { info, part }, meter));
  const { sha256 } = await files.checksum(info.path);
  if (sha256 !== ours) {
    await rm(part, { force: true });
    throw new CliError(
      `${info.path} changed while it was copied, or did not arrive as it was sent; copy it again`,
    );
  }
  await chmod(part, info.mode & 0o777);
  await utimes(part, info.modTime, info.modTime);
  await rename(part, dest);
}

/** Fetches what is missing, and tells the checksum of the whole. */
async function fetchRest(
  files: SpriteFilesystem,
  { info, part }: { readonly info: FileInfo; readonly part: string },
  meter: CopyMeter,
): Promise<string> {
  const start = await findStart(files, { info, part });
  const hash = await hashFile(part, start);
  // Where it could be read by others before its mode is set, it would be too early.
  await using file = await open(part, start === 0 ? 'w' : 'r+', 0o600);
  await file.truncate(start);
  meter.skip(start);
  if (start === info.size) return hash.digest('hex');
  let at = start;
  try {
    const response = await files.openRead(info.path, { start, end: Math.max(start, info.size - 1) });
    for await (const chunk of response.body ?? []) {
      writeAll(file.fd, chunk, at);
      hash.update(chunk);
      at += chunk.length;
      meter.add(chunk.length);
    }
  } catch (error) {
    meter.takeBack(at);
    throw error;
  }
  return hash.digest('hex');
}

/** Writes at once: handing each piece to another thread and waiting for it takes as long as fetching it. */
function writeAll(fd: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, at + done);
  }
}

/** How much of the file is here already and is right. */
async function findStart(
  files: SpriteFilesystem,
  { info, part }: { readonly info: FileInfo; readonly part: string },
): Promise<number> {
  const size = await stat(part).then(
    (stats) => (stats.isFile() ? stats.size : 0),
    () => 0,
  );
  if (size === 0 || size > info.size) return 0;
  const ours = (await hashFile(part, size)).digest('hex');
  const { sha256 } = await files.checksum(info.path, { length: size });
  return ours === sha256 ? size : 0;
}
