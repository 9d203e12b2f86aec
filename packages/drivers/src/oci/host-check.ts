import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { findCgroups, openUserNamespace } from '@sprites/linux';
import type { RuntimeName } from './runtime.ts';

/** Something a host lacks to run machines, and what to do about it. */
export type HostProblem = { readonly message: string; readonly remedy: string };

const programDirs = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const runtimeRemedies: Readonly<Record<RuntimeName, string>> = {
  runc: 'install it, e.g. with apt-get install runc',
  crun: 'install it, e.g. with apt-get install crun',
  runsc: 'install a recent one (https://gvisor.dev/docs/user_guide/install), or use runtime runc',
};
/** Linux 5.19 brought overlayfs on id-mapped layers. */
const oldestKernel = [5, 19] as const;

/** Looks for what machines need of this host; an empty answer means all is there. The first problem is the one to mend first. */
export async function checkHost(runtime: RuntimeName = 'runc'): Promise<readonly HostProblem[]> {
  if (process.geteuid?.() !== 0) {
    return [{ message: 'the server does not run as root', remedy: 'start it with sudo' }];
  }
  const problems = await Promise.all([
    checkKernel(),
    checkProgram(runtime, runtimeRemedies[runtime]),
    checkProgram('unshare', 'install it, e.g. with apt-get install util-linux'),
    checkCgroups(),
    checkLoopDevices(),
    checkUserNamespaces(),
  ]);
  return problems.filter((problem) => problem !== undefined);
}

/** True when the kernel of that release, e.g. `6.1.0-18-amd64`, is recent enough. */
export function isRecentKernel(text: string): boolean {
  const [major = 0, minor = 0] = text.split('.').map((part) => Number.parseInt(part, 10));
  return major > oldestKernel[0] || (major === oldestKernel[0] && minor >= oldestKernel[1]);
}

async function checkKernel(): Promise<HostProblem | undefined> {
  if (isRecentKernel(release())) return undefined;
  return {
    message: `kernel ${release()} is too old for overlay file systems with mapped ids`,
    remedy: `use Linux ${oldestKernel.join('.')} or newer`,
  };
}

async function checkProgram(name: string, remedy: string): Promise<HostProblem | undefined> {
  for (const dir of programDirs) {
    try {
      await access(join(dir, name), constants.X_OK);
      return undefined;
    } catch {
      // not in this directory
    }
  }
  return {
    message: `${name} is not installed`,
    remedy,
  };
}

async function checkCgroups(): Promise<HostProblem | undefined> {
  if ((await findCgroups()) !== undefined) return undefined;
  return {
    message: 'no version 2 cgroup hierarchy is mounted',
    remedy: 'mount one: mount -t cgroup2 none /sys/fs/cgroup/unified',
  };
}

async function checkLoopDevices(): Promise<HostProblem | undefined> {
  try {
    await access('/dev/loop-control', constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return { message: 'there are no loop devices', remedy: 'load them: modprobe loop' };
  }
}

async function checkUserNamespaces(): Promise<HostProblem | undefined> {
  try {
    await using _ = await openUserNamespace([{ inside: 0, outside: 0, count: 1 }]);
    return undefined;
  } catch {
    const limit = await readFile('/proc/sys/user/max_user_namespaces', 'utf8').catch(() => 'missing');
    return {
      message: `user namespaces cannot be made (user.max_user_namespaces is ${limit.trim()})`,
      remedy: 'allow them: sysctl user.max_user_namespaces=65536, or choose a kernel that has them',
    };
  }
}
