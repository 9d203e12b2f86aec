import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runContained } from './contained.ts';

const scriptName = '.sprites-setup';
const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LC_ALL: 'C.UTF-8',
  DEBIAN_FRONTEND: 'noninteractive',
};

/**
 * Runs a shell script as root in a root file system we built; never in an imported one. The trace it writes tells in
 * an error which command failed.
 */
export async function runInChroot(root: string, script: string, signal: AbortSignal): Promise<void> {
  const file = join(root, scriptName);
  await writeFile(file, script, { mode: 0o700 });
  try {
    const enter = 'mount -t proc proc "$1/proc" && exec chroot "$1" /bin/sh -eux "/$2"';
    await runContained(['/bin/sh', '-c', enter, 'sh', root, scriptName], { env: environment, signal });
  } finally {
    await rm(file, { force: true });
  }
}
