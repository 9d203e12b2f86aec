import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import type { MachineSpec } from '@sprites/core';
import {
  attachLoop,
  bindIdmapped,
  hasCode,
  type LoopDevice,
  mount,
  openUserNamespace,
  unmount,
} from '@sprites/linux';
import { idsPerMachine } from './bundle.ts';
import type { MachineDir } from './run-dir.ts';
import { settleAll } from './settle.ts';
import { releaseSpareSpace } from './spare-space.ts';

/** How ext4 refuses what it cannot make sense of. */
const damageCodes = ['EUCLEAN', 'EBADMSG', 'EINVAL', 'EIO', 'ENODATA', 'ENOTDIR'];

export type RootOptions = {
  readonly spec: MachineSpec;
  readonly machine: MachineDir;
  /** resolves to where the base image is mounted */
  readonly image: Promise<string>;
  readonly firstId: number;
};

/** Mounts the disk and puts the machine's root file system together at `machine.root`. */
export async function mountRoot({ spec, machine, image, firstId }: RootOptions): Promise<void> {
  // The second line gives the host's root an id on the disk; without it overlayfs cannot make its work directory and
  // silently mounts read-only.
  const namespace = openUserNamespace([
    { inside: 0, outside: firstId, count: idsPerMachine },
    { inside: idsPerMachine, outside: 0, count: 1 },
  ]);
  const points = [machine.root, machine.lower, machine.upper].map((dir) => mkdir(dir));
  try {
    await settleAll(namespace, image, mountDisk(spec.diskFile, machine.disk), ...points);
    await mountOverlay(machine, await image, (await namespace).fd);
  } finally {
    await namespace.then(
      (handle) => handle.close(),
      () => undefined,
    );
  }
}

/** overlayfs keeps private copies of its layers' mounts, so their places in the tree are needed for a moment only. */
async function mountOverlay(machine: MachineDir, image: string, namespaceFd: number): Promise<void> {
  await bindIdmapped({ source: image, target: machine.lower, namespaceFd });
  await bindIdmapped({ source: machine.disk, target: machine.upper, namespaceFd });
  const layers = `lowerdir=${machine.lower},upperdir=${machine.upper}/upper,workdir=${machine.upper}/work`;
  await mount({
    source: 'overlay',
    target: machine.root,
    type: 'overlay',
    // device files of an image are powerless; /dev is a file system of its own
    flags: ['nodev'],
    data: `${layers},redirect_dir=on,metacopy=off,xino=on`,
  });
  await unmount(machine.upper);
  await unmount(machine.lower);
}

/**
 * Mounts the disk with its raw owners for the host's own use, so with programs on it made powerless. The overlay made
 * from it has flags of its own.
 */
async function mountDisk(file: string, target: string): Promise<void> {
  try {
    await mountHealthyDisk(file, target);
  } catch (cause) {
    if (!hasCode(cause, ...damageCodes)) throw cause;
    throw new SpriteError('disk_damaged', 'its file system is damaged and does not mount', { cause });
  }
}

async function mountHealthyDisk(file: string, target: string): Promise<void> {
  await using device = await attachDisk(file);
  // from here on `release` waits for the kernel to let go of the disk
  await mkdir(target, { mode: 0o700 });
  await mount({
    source: device.path,
    target,
    type: 'ext4',
    flags: ['nosuid', 'nodev', 'noatime'],
    data: 'discard,errors=remount-ro',
  });
  await releaseSpareSpace(target);
  for (const name of ['upper', 'work']) await makeDirectory(join(target, name));
}

async function attachDisk(file: string): Promise<LoopDevice> {
  try {
    return await attachLoop({ file });
  } catch (cause) {
    if (!hasCode(cause, 'EAGAIN')) throw cause;
    throw new SpriteError('wake_failed', 'the disk is in use by another machine', { cause });
  }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o755 });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}
