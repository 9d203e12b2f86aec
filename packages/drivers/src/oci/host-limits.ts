import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool } from '@sprites/linux';

/**
 * Limits of the whole host that sprites count against together, though each is bounded for itself: as large as desktop
 * and server distributions set them. One sprite at its own bounds must leave enough for the others and for the host.
 */
const leastOfHost = {
  'fs/file-max': 9_223_372_036_854_775_807n,
  'fs/inotify/max_user_instances': 65_536n,
  'fs/inotify/max_user_watches': 4_194_304n,
  'kernel/pid_max': 4_194_304n,
} as const;

/**
 * Most of each that one sprite may have. The kernel counts them for the user who made the user namespace, which is the
 * host's root for every sprite, so without bounds one sprite takes them all from the others.
 */
const mostOfMachine = {
  max_cgroup_namespaces: 256,
  max_fanotify_groups: 64,
  max_fanotify_marks: 131_072,
  max_inotify_instances: 2048,
  max_inotify_watches: 262_144,
  max_ipc_namespaces: 256,
  max_mnt_namespaces: 256,
  max_net_namespaces: 64,
  max_pid_namespaces: 256,
  max_time_namespaces: 256,
  max_user_namespaces: 256,
  max_uts_namespaces: 256,
} as const;

/** Raises the host's limits where they are lower; never lowers one. They last until the host's next boot. */
export async function raiseHostLimits(root = '/proc/sys'): Promise<void> {
  for (const [name, least] of Object.entries(leastOfHost)) {
    const file = join(root, name);
    const present = BigInt((await readFile(file, 'utf8')).trim());
    if (present < least) await writeFile(file, String(least));
  }
}

/**
 * Bounds what the machine's user namespace may use of the kernel. Root inside cannot lift it: that takes
 * CAP_SYS_RESOURCE, which a machine does not have. To be called before anything of the sprite runs.
 */
export async function limitNamespace(pid: number): Promise<void> {
  const lines = Object.entries(mostOfMachine).map(([name, most]) => `echo ${most} >${name}`);
  const script = `cd /proc/sys/user; ${lines.join('; ')}`;
  await runTool(['nsenter', `--target=${pid}`, '--user', '--', 'sh', '-e', '-c', script]);
}
