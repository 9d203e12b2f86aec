import { mkdir } from 'node:fs/promises';
import { splitArchivePath } from '@sprites/contract/files';
import type { FileInfo, SpriteFilesystem } from '@sprites/sdk';
import { CliError } from '../cli-error.ts';
import type { CopyMeter } from './copy-meter.ts';
import { downloadFile } from './download-file.ts';
import { LocalDirectories } from './local-directories.ts';
import { withRetries } from './retry.ts';
import { unpackHere } from './unpack-local.ts';
import { largeBytes } from './upload-file.ts';

/** Copies a directory out of the sprite. Tells which symlinks were left out because they lead out of it. */
export async function downloadTree(
  files: SpriteFilesystem,
  { source, dest }: { readonly source: FileInfo; readonly dest: string },
  meter: CopyMeter,
): Promise<readonly string[]> {
  const entries = await files.list(source.path, { recursive: true });
  const isLarge = ({ type, size }: FileInfo): boolean => type === 'file' && size >= largeBytes;
  // A path that is no UTF-8 cannot be asked for by itself; then the archive has the large files, too.
  const isTogether = entries.some((entry) => isLarge(entry) && entry.path.includes('\ufffd'));
  const large = isTogether ? [] : entries.filter(isLarge);
  const small = entries.filter((entry) => entry.type === 'file' && (isTogether || !isLarge(entry)));
  meter.begin(
    source.path,
    small.reduce((sum, { size }) => sum + size, 0),
  );
  await mkdir(dest, { recursive: true });
  const directories = new LocalDirectories(dest);
  for (const info of large) {
    const parts = splitArchivePath(Buffer.from(relativePath(info, source)));
    directories.enter(parts.slice(0, -1));
    await downloadFile(files, { info, dest: directories.pathOf(parts).toString() }, meter);
  }
  return withRetries(() => downloadSmall(files, { source, directories, isTogether }, meter));
}

type SmallDownload = {
  readonly source: FileInfo;
  readonly directories: LocalDirectories;
  /** whether large files come along */
  readonly isTogether: boolean;
};

async function downloadSmall(
  files: SpriteFilesystem,
  { source, directories, isTogether }: SmallDownload,
  meter: CopyMeter,
): Promise<readonly string[]> {
  let counted = 0;
  try {
    const { body } = await files.pack(source.path, isTogether ? {} : { smallerThan: largeBytes });
    if (body === null) throw new CliError(`the server gave no archive of ${source.path}; try again`);
    const { skipped } = await unpackHere(directories, body, (bytes) => {
      counted += bytes;
      meter.add(bytes);
    });
    return skipped;
  } catch (error) {
    meter.takeBack(counted);
    throw error;
  }
}

function relativePath(info: FileInfo, source: FileInfo): string {
  return info.path.slice(source.path.replace(/\/$/, '').length).replace(/^\/+/, '');
}
