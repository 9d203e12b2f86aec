import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MachineSpec } from '@sprites/core';
import { describe, expect, it } from 'vitest';
import { writeIdentity } from './identity-files.ts';

const spec: MachineSpec = {
  spriteId: 'sprite_1',
  incarnation: 1,
  hostname: 'demo',
  slot: 0,
  diskFile: '',
  imageFile: '',
  imageDigest: '',
  limits: { cpus: 1, memoryBytes: 1, maxProcesses: 1 },
  environment: {},
  resolvConf: 'nameserver 10.88.0.1\n',
};

type Fixture = AsyncDisposable & {
  readonly root: string;
  /** a directory that must stay as it is */
  readonly outside: string;
};

async function fixture(): Promise<Fixture> {
  const dir = await mkdtemp(join(tmpdir(), 'identity-'));
  const [root, outside] = [join(dir, 'root'), join(dir, 'outside')];
  await mkdir(join(root, 'etc'), { recursive: true });
  await mkdir(outside);
  await writeFile(join(outside, 'secret'), 'secret');
  return { root, outside, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

const write = ({ root }: Fixture): Promise<void> => writeIdentity(root, spec, process.getuid?.() ?? 0);
const etc = ({ root }: Fixture, name: string): Promise<string> => readFile(join(root, 'etc', name), 'utf8');

describe('writeIdentity', () => {
  it('writes name and name server, and makes the mount points', async () => {
    await using f = await fixture();
    await write(f);
    expect(await etc(f, 'hostname')).toBe('demo\n');
    expect(await etc(f, 'resolv.conf')).toBe('nameserver 10.88.0.1\n');
    expect(await etc(f, 'hosts')).toContain('127.0.1.1 demo\n');
    expect((await readdir(f.root)).sort()).toEqual(['.sprite', 'dev', 'etc', 'proc', 'sys']);
  });

  it('keeps what people wrote into hosts, and hosts that are very long', async () => {
    await using f = await fixture();
    await writeFile(join(f.root, 'etc/hosts'), '192.0.2.7 mine');
    await write(f);
    expect(await etc(f, 'hosts')).toBe('192.0.2.7 mine\n127.0.1.1 demo\n');
    const long = '0.0.0.0 blocked.test\n'.repeat(10_000);
    await writeFile(join(f.root, 'etc/hosts'), long);
    await write(f);
    expect(await etc(f, 'hosts')).toBe(long);
  });

  it.each(['hostname', 'hosts', 'resolv.conf'])('does not follow a link in place of %s', async (name) => {
    await using f = await fixture();
    await symlink(join(f.outside, 'secret'), join(f.root, 'etc', name));
    await write(f);
    expect(await readFile(join(f.outside, 'secret'), 'utf8')).toBe('secret');
    expect(await etc(f, name)).toContain(name === 'resolv.conf' ? 'nameserver' : 'demo');
  });

  it('does not follow a link in place of etc or of a mount point', async () => {
    await using f = await fixture();
    await rm(join(f.root, 'etc'), { recursive: true });
    for (const name of ['etc', 'proc', 'sys', 'dev', '.sprite']) await symlink(f.outside, join(f.root, name));
    await write(f);
    expect(await readdir(f.outside)).toEqual(['secret']);
    expect(await etc(f, 'hostname')).toBe('demo\n');
  });

  it('is not stopped by what lies in its way, time after time', async () => {
    await using f = await fixture();
    for (let round = 0; round < 3; round++) {
      await rm(join(f.root, 'sys'), { recursive: true, force: true });
      await symlink('/etc', join(f.root, 'sys'));
      await rm(join(f.root, 'etc/hostname'), { recursive: true, force: true });
      await mkdir(join(f.root, 'etc/hostname/full'), { recursive: true });
      await write(f);
      expect(await etc(f, 'hostname')).toBe('demo\n');
    }
  });
});
