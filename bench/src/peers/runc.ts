import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Peer } from './peer.ts';
import { hostPrograms, makeRootfs } from './rootfs.ts';
import { run, works } from './run.ts';

/** `runc exec` into a container made by `runc spec`, with the host's programs in it. */
export async function openRunc(): Promise<Peer | string> {
  if (!(await works('runc', ['--version']))) return 'runc exec: runc is not installed';
  const folder = await makeRootfs('bench-runc-');
  const id = path.basename(folder);
  await run('runc', ['spec', '--bundle', folder]);
  const specFile = path.join(folder, 'config.json');
  const spec: { process: { terminal: boolean; args: string[] }; mounts: object[] } = JSON.parse(
    await readFile(specFile, 'utf8'),
  );
  spec.process.terminal = false;
  spec.process.args = ['sleep', 'infinity'];
  spec.mounts.push({ destination: '/usr', source: hostPrograms, type: 'bind', options: ['rbind', 'ro'] });
  await writeFile(specFile, JSON.stringify(spec));
  const close = async (): Promise<void> => {
    await works('runc', ['delete', '--force', id]);
    await rm(folder, { recursive: true });
  };
  if (!(await works('runc', ['run', '--detach', '--bundle', folder, id]))) {
    await close();
    return 'runc exec: runc cannot start a container here';
  }
  return { name: 'runc exec', runTrue: () => run('runc', ['exec', id, 'true']), close };
}
