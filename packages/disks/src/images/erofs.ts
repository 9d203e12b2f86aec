import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import { runTool } from '@sprites/linux';

/** The same for all images: the file's name and digest tell them apart. */
const fileSystemId = '5b7e1f0c-6a44-4d8e-9a53-7370726974ee';
const maxOwner = 65535;

/**
 * Packs a directory tree into an EROFS file. It is not compressed, so that all sprites share its pages as they are in
 * the page cache. Times after `newestSeconds` become that time: the same content gives the same bytes.
 */
export async function makeErofs(options: {
  readonly root: string;
  readonly file: string;
  readonly newestSeconds: number;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { root, file, newestSeconds, signal } = options;
  await removeDevices(root, signal);
  await checkOwners(root, signal);
  await runTool(['mkfs.erofs', '--quiet', '-U', fileSystemId, file, root], {
    signal,
    env: { PATH: process.env.PATH, SOURCE_DATE_EPOCH: String(newestSeconds) },
  });
  await runTool(['sync', file], { signal });
}

/** The newest modification in the tree, in seconds, of what is not younger than the reference file. */
export async function findNewestSeconds(
  root: string,
  reference: string,
  signal: AbortSignal,
): Promise<number> {
  let newest = 0;
  await runTool(['find', root, '-xdev', '!', '-newer', reference, '-printf', '%Ts\\n'], {
    signal,
    onLine: (line) => {
      newest = Math.max(newest, Number(line) || 0);
    },
  });
  return newest;
}

/** A machine brings its own `/dev`; device files elsewhere have no place in an image. */
async function removeDevices(root: string, signal: AbortSignal): Promise<void> {
  await runTool(['find', root, '-xdev', '(', '-type', 'b', '-o', '-type', 'c', ')', '-delete'], { signal });
  await rm(join(root, 'dev'), { recursive: true, force: true });
  await mkdir(join(root, 'dev'), { mode: 0o755 });
}

async function checkOwners(root: string, signal: AbortSignal): Promise<void> {
  const isTooHigh = ['(', '-uid', `+${maxOwner}`, '-o', '-gid', `+${maxOwner}`, ')'];
  const found = await runTool(['find', root, '-xdev', ...isTooHigh, '-printf', '/%P\\n', '-quit'], {
    signal,
  });
  if (found === '') return;
  throw new SpriteError(
    'invalid_request',
    `${found.trim()} is owned by a user or group above ${maxOwner}; sprites have ids 0 to ${maxOwner}`,
  );
}
