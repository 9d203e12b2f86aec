import { spawn } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '@sprites/testkit';
import type { Peer } from './peer.ts';
import { run, works } from './run.ts';

const program = '/usr/sbin/sshd';

/** `ssh localhost true` through an sshd of our own on the loopback interface. */
export async function openSsh(): Promise<Peer | string> {
  if (!(await works(program, ['-V'])) && !(await works('test', ['-x', program]))) {
    return 'ssh localhost: sshd is not installed (apt-get install openssh-server)';
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'bench-ssh-'));
  await chmod(folder, 0o700);
  const port = await freePort();
  const key = path.join(folder, 'key');
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  await copyFile(`${key}.pub`, path.join(folder, 'authorized_keys'));
  await writeFile(
    path.join(folder, 'config'),
    [
      ...[`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${key}`, 'PidFile none', 'UsePAM no'],
      ...[`AuthorizedKeysFile ${folder}/authorized_keys`, 'PermitRootLogin yes', 'StrictModes no'],
      // A shell that sshd starts reads the user's start file unless it looks nested; that is not what is measured.
      'SetEnv SHLVL=2',
    ].join('\n'),
  );
  // sshd separates its privileges there and does not start without it.
  await mkdir('/run/sshd', { recursive: true });
  const daemon = spawn(program, ['-D', '-f', path.join(folder, 'config')], { stdio: 'ignore' });
  const close = async (): Promise<void> => {
    daemon.kill();
    await rm(folder, { recursive: true });
  };
  const args = [
    ...['-F', 'none', '-i', key, '-p', String(port), '-o', 'StrictHostKeyChecking=no'],
    ...['-o', `UserKnownHostsFile=${folder}/known_hosts`, '-o', 'BatchMode=yes', '127.0.0.1', 'true'],
  ];
  for (let attempt = 0; attempt < 50; attempt++) {
    if (await works('ssh', args)) return { name: 'ssh localhost', runTrue: () => run('ssh', args), close };
    await sleep(100);
  }
  await close();
  return 'ssh localhost: the sshd started for it does not let us in';
}
