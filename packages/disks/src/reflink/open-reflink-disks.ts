import { access, mkdir, rm, statfs } from 'node:fs/promises';
import { SpriteError } from '@sprites/contract';
import { canClone, makePoolFile, mountPool, repairGracePeriods } from '@sprites/linux';
import { formatBytes } from '../bytes.ts';
import { removeUnfinished } from '../unfinished.ts';
import { type PoolPaths, poolPaths } from './pool-paths.ts';
import { ReflinkDisks, type ReflinkKind } from './reflink-disks.ts';

const minPoolBytes = 2 * 1024 ** 3;

export type ReflinkDisksOptions = {
  /** the server's data directory; disks live in `pool` below it */
  readonly dataDir: string;
  readonly signal: AbortSignal;
  /** size of the pool file if one must be made; 90 % of the free space by default */
  readonly poolSizeBytes?: number | undefined;
  /** free space below which no disk or checkpoint is made; derived from the pool's size by default */
  readonly reserveBytes?: number | undefined;
  readonly log?: { info(message: string): void } | undefined;
};

/**
 * Opens the disk pool of a data directory, makes it on first use, and repairs what a killed server left half-made.
 * `close` leaves the pool mounted for machines that go on running; `release` unmounts it.
 */
export async function openReflinkDisks(options: ReflinkDisksOptions): Promise<ReflinkDisks> {
  const { dataDir, signal, log } = options;
  await repairGracePeriods();
  await mkdir(dataDir, { recursive: true });
  const paths = await poolPaths(dataDir);
  await mkdir(paths.directory, { recursive: true, mode: 0o700 });
  const kind = await chooseKind(paths);
  if (kind === 'reflink-loop') {
    if (!(await exists(paths.file))) {
      const sizeBytes = options.poolSizeBytes ?? (await defaultPoolBytes(dataDir));
      log?.info(`making the disk pool, a sparse file of at most ${formatBytes(sizeBytes)}`);
      await makePoolFile(paths.file, sizeBytes, signal);
    }
    await mountPool(paths.file, paths.directory);
  }
  for (const directory of [paths.disks, paths.templates, paths.checkpoints]) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await removeUnfinished(directory);
  }
  log?.info(`disk pool is ready (${kind})`);
  return new ReflinkDisks({ kind, dataDir, paths, signal, reserveBytes: options.reserveBytes });
}

async function chooseKind(paths: PoolPaths): Promise<ReflinkKind> {
  if (await exists(paths.file)) return 'reflink-loop';
  await rm(`${paths.file}.new`, { force: true });
  if (await canClone(paths.directory)) return 'reflink-directory';
  if (await exists(paths.disks)) {
    throw new Error(
      'the disk pool was made on a file system that can share blocks, and this one cannot; ' +
        'move the data directory back, or to XFS or btrfs',
    );
  }
  return 'reflink-loop';
}

async function defaultPoolBytes(dataDir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dataDir);
  const freeBytes = bavail * bsize;
  if (freeBytes < minPoolBytes) {
    throw new SpriteError(
      'out_of_space',
      `the data directory has ${formatBytes(freeBytes)} free; a disk pool needs at least ${formatBytes(minPoolBytes)}`,
    );
  }
  const wanted = Math.max(minPoolBytes, Math.floor(freeBytes * 0.9));
  return wanted - (wanted % 1024 ** 2);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
