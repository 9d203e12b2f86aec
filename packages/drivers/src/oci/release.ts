import { existsSync } from 'node:fs';
import { readdir, readFile, readlink, rm, rmdir, unlink } from 'node:fs/promises';
import type { Clock } from '@sprites/core';
import {
  boundDirtyBytes,
  Cgroup,
  type CgroupLayout,
  hasCode,
  isAttached,
  thawFileSystem,
  unmount,
} from '@sprites/linux';
import { readState } from './machine-state.ts';
import type { MachineDir, RunDir } from './run-dir.ts';
import { settleAll } from './settle.ts';
import type { CheckpointViews } from './views/checkpoint-views.ts';

export type ReleaseDeps = {
  readonly cgroups: CgroupLayout;
  readonly clock: Clock;
  readonly views: CheckpointViews;
};

const endTimeoutMs = 20_000;
const mostPollMs = 50;

/**
 * Ends the machine and gives back everything it holds on the host, from whatever point an earlier start or release got
 * to. Afterwards the disk is written out and free. Nothing is removed by a recursive delete, so a mount that refuses to
 * go never costs the sprite its files.
 */
export async function release({ cgroups, clock, views }: ReleaseDeps, machine: MachineDir): Promise<void> {
  const cgroup = new Cgroup(cgroups, machine.cgroup);
  const state = await readState(machine);
  // processes that wait to write to a frozen disk do not die, and a frozen disk stays attached without a mount
  await thawFileSystem(machine.disk);
  await cgroup.kill();
  await cgroup.waitEmpty(AbortSignal.timeout(endTimeoutMs));
  // unlike the limit of the file system this one stays with the loop device, whoever has it next
  boundDirtyBytes(machine.disk, undefined);
  // the directory is made when the disk is attached
  const hasDisk = existsSync(machine.disk);
  await settleAll(
    retryBusy(clock, () => cgroup.remove()),
    rm(machine.runtimeState, { recursive: true, force: true }),
    views.release(machine).then(() => unmountAll(clock, machine)),
  );
  if (state !== undefined && hasDisk) await waitDetached(clock, state.diskFile);
  for (const file of [...machine.files, `${machine.state}.new`]) await ignoreMissing(unlink(file));
  await ignoreMissing(rmdir(machine.policyDir));
  await ignoreMissing(rmdir(machine.path));
}

/** Kills runtime commands of this run directory that a killed server left at work. */
export async function killStrayRuntimes(runDir: RunDir): Promise<void> {
  const ownNamespace = await readlink('/proc/self/ns/user');
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    try {
      const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
      const root = argv[argv.indexOf('--root') + 1] ?? '';
      // runsc has a directory for each machine
      if (root !== runDir.runtime && !root.startsWith(`${runDir.runtime}/`)) continue;
      // a program inside a sprite can call itself what it likes
      if ((await readlink(`/proc/${pid}/ns/user`)) !== ownNamespace) continue;
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ESRCH', 'EACCES')) throw error;
    }
  }
}

/**
 * Unmounts and removes the mount points. Removing them also ends the copies of these mounts that other programs got
 * with a mount namespace of their own and would keep for as long as they run.
 */
async function unmountAll(clock: Clock, machine: MachineDir): Promise<void> {
  for (const target of machine.mountPoints) {
    // EBUSY passes: another process may be looking, or the kernel is still taking the machine's namespaces apart
    while (await retryBusy(clock, () => unmount(target)));
    await ignoreMissing(retryBusy(clock, () => rmdir(target)));
  }
}

/** The kernel takes the machine's mount namespace apart on its own time; the disk is ours again only after that. */
async function waitDetached(clock: Clock, diskFile: string): Promise<void> {
  const deadline = clock.now() + endTimeoutMs;
  for (let pauseMs = 1; await isAttached(diskFile); pauseMs = Math.min(pauseMs * 2, mostPollMs)) {
    if (clock.now() > deadline)
      throw new Error(`the kernel still holds ${diskFile} after ${endTimeoutMs} ms`);
    await clock.sleep(pauseMs);
  }
}

async function retryBusy<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  const deadline = clock.now() + endTimeoutMs;
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, mostPollMs)) {
    try {
      return await work();
    } catch (error) {
      if (!hasCode(error, 'EBUSY') || clock.now() > deadline) throw error;
    }
    await clock.sleep(pauseMs);
  }
}

async function ignoreMissing(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
