import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Peer } from './peer.ts';
import { hostPrograms, makeRootfs } from './rootfs.ts';
import { run, works } from './run.ts';

/** `docker exec` into a container of an image made on the spot, with the host's programs in it. */
export async function openDocker(): Promise<Peer | string> {
  if (!(await works('docker', ['info']))) {
    return 'docker exec: no docker daemon answers (apt-get install docker.io)';
  }
  const folder = await makeRootfs('bench-docker-');
  const id = path.basename(folder).toLowerCase();
  const close = async (): Promise<void> => {
    await works('docker', ['rm', '--force', id]);
    await works('docker', ['rmi', '--force', id]);
    await rm(folder, { recursive: true });
  };
  const started =
    (await importImage(path.join(folder, 'rootfs'), id)) &&
    (await works('docker', [
      ...['run', '--detach', '--name', id, '--network', 'none', '--volume', `${hostPrograms}:/usr:ro`],
      ...[id, 'sleep', 'infinity'],
    ]));
  if (!started) {
    await close();
    return 'docker exec: docker cannot start a container here';
  }
  return { name: 'docker exec', runTrue: () => run('docker', ['exec', id, 'true']), close };
}

async function importImage(rootfs: string, name: string): Promise<boolean> {
  const tar = spawn('tar', ['-C', rootfs, '-c', '.'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const load = spawn('docker', ['import', '-', name], { stdio: [tar.stdout, 'ignore', 'ignore'] });
  return await new Promise((resolve) => {
    load.once('error', () => resolve(false));
    load.once('close', (code) => resolve(code === 0));
  });
}
