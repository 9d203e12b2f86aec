import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { fillScript } from '../measurements/fill-script.ts';
import { latencyRow, type Row, timeEach } from '../samples.ts';
import { hostPrograms } from './rootfs.ts';
import { run, works } from './run.ts';

/** Where the data lies: beside the pools of test servers, on the same disk. */
const parent = '/var/tmp/sprites-test';

/** Copies of the same data by `cp -a`, and by podman where it is installed, which stops its container for a commit. */
export async function copyPeers(sizeGb: number, n: number): Promise<readonly Row[]> {
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(path.join(parent, 'bench-copies-'));
  try {
    await run('sh', ['-c', `cd ${folder} && ${fillScript(sizeGb)}`]);
    const copied = await timeEach(n, async () => {
      await run('cp', ['-a', path.join(folder, 'data'), path.join(folder, 'copy')]);
      await rm(path.join(folder, 'copy'), { recursive: true });
    });
    const rows: Row[] = [latencyRow(`peer: cp -a of ${sizeGb} GB`, copied)];
    const committed = await timePodman(folder, n);
    if (typeof committed === 'string') console.log(`  ${committed}`);
    else rows.push(latencyRow(`peer: podman commit and run, ${sizeGb} GB`, committed));
    return rows;
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function timePodman(folder: string, n: number): Promise<readonly number[] | string> {
  if (!(await works('podman', ['--version'])))
    return 'podman commit: podman is not installed (apt-get install podman)';
  // names of podman's images have no capitals
  const id = path.basename(folder).toLowerCase();
  const base = `${id}-base`;
  const podman = (...args: readonly string[]): Promise<void> => run('podman', ['--runtime', 'runc', ...args]);
  // the container has the host's programs, and the data in its own layer
  const programs = ['--network', 'none', '--volume', `${hostPrograms}:/usr:ro`];
  const links = ['bin', 'sbin', 'lib', 'lib64'].map((name) => `ln -s usr/${name} ${name}`).join('; ');
  try {
    await run('sh', [
      '-c',
      `cd ${folder} && mkdir -p root/usr && cd root && { ${links}; } && tar c . | podman import - ${base}`,
    ]);
    await podman('run', '--detach', '--name', id, ...programs, base, '/usr/bin/sleep', 'infinity');
    await run('podman', ['cp', path.join(folder, 'data'), `${id}:/data`]);
    return await timeEach(n, async () => {
      await run('podman', ['commit', '--quiet', id, `${id}-saved`]);
      await podman('run', '--rm', ...programs, `${id}-saved`, '/usr/bin/true');
      await run('podman', ['rmi', '--force', `${id}-saved`]);
    });
  } catch (error) {
    return `podman commit: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    await works('podman', ['rm', '--force', '--time', '0', id]);
    await works('podman', ['rmi', '--force', `${id}-saved`, base]);
  }
}
