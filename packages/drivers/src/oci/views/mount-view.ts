import { mkdir, rmdir } from 'node:fs/promises';
import {
  attachLoop,
  bindIdmapped,
  mount,
  openUserNamespace,
  readExt4Superblock,
  unmount,
} from '@sprites/linux';
import { idsPerMachine } from '../bundle.ts';
import type { MachineDir } from '../run-dir.ts';

export type MountViewOptions = {
  readonly machine: MachineDir;
  /** host id of the machine's root */
  readonly firstId: number;
  /** where the image is mounted */
  readonly image: string;
  /** image file of the saved disk */
  readonly file: string;
  readonly target: string;
};

/**
 * Mounts a saved disk over its image at a target, with the machine's owners, so that nothing can ever write to it: the
 * overlay has no upper layer, and the disk is attached for reading.
 */
export async function mountView({ machine, firstId, image, file, target }: MountViewOptions): Promise<void> {
  // what is in its journal only would be missing
  if (!(await readExt4Superblock(file)).isClean)
    throw new Error(`${file} was saved without being written out`);
  const points = [machine.viewUpper, machine.viewLower, machine.viewDisk];
  for (const dir of points) await mkdir(dir, { recursive: true, mode: 0o700 });
  await using namespace = await openUserNamespace([
    { inside: 0, outside: firstId, count: idsPerMachine },
    { inside: idsPerMachine, outside: 0, count: 1 },
  ]);
  try {
    await mountDisk(file, machine.viewDisk);
    await bindIdmapped({ source: image, target: machine.viewLower, namespaceFd: namespace.fd });
    await bindIdmapped({ source: machine.viewDisk, target: machine.viewUpper, namespaceFd: namespace.fd });
    await mount({
      source: 'overlay',
      target,
      type: 'overlay',
      flags: ['read-only', 'nosuid', 'nodev'],
      data: `lowerdir=${machine.viewUpper}/upper:${machine.viewLower},redirect_dir=follow,metacopy=off,xino=on`,
    });
  } finally {
    // overlayfs keeps private copies of its layers' mounts
    for (const dir of points) {
      while (await unmount(dir));
      await rmdir(dir);
    }
  }
}

async function mountDisk(file: string, target: string): Promise<void> {
  await using device = await attachLoop({ file, readOnly: true });
  const flags = ['read-only', 'nosuid', 'nodev', 'noatime'] as const;
  await mount({ source: device.path, target, type: 'ext4', flags, data: 'noload,errors=continue' });
}
