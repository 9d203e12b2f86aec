import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Peer } from './peer.ts';
import { hostPrograms, makeRootfs } from './rootfs.ts';
import { run, works } from './run.ts';

/** `podman exec` into a container on a bare root directory, with the host's programs in it. */
export async function openPodman(): Promise<Peer | string> {
  if (!(await works('podman', ['--version']))) {
    return 'podman exec: podman is not installed (apt-get install podman)';
  }
  const folder = await makeRootfs('bench-podman-');
  const id = path.basename(folder);
  const close = async (): Promise<void> => {
    await works('podman', ['rm', '--force', '--time', '0', id]);
    await rm(folder, { recursive: true });
  };
  const started = await works('podman', [
    // runc works on every cgroup layout; crun, which podman prefers, does not.
    ...[
      '--runtime',
      'runc',
      'run',
      '--detach',
      '--name',
      id,
      '--network',
      'none',
      '--volume',
      `${hostPrograms}:/usr:ro`,
    ],
    ...['--rootfs', path.join(folder, 'rootfs'), 'sleep', 'infinity'],
  ]);
  if (!started) {
    await close();
    return 'podman exec: podman cannot start a container here';
  }
  return { name: 'podman exec', runTrue: () => run('podman', ['exec', id, 'true']), close };
}
