import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dropHostKeys } from './host-keys.ts';

const keys = ['ssh_host_ed25519_key', 'ssh_host_ed25519_key.pub', 'ssh_host_rsa_key'];

async function fixture() {
  const dir = await mkdtemp(join(tmpdir(), 'keys-'));
  const [root, outside] = [join(dir, 'root'), join(dir, 'outside')];
  await mkdir(join(root, 'etc/ssh'), { recursive: true });
  await mkdir(join(outside, 'ssh'), { recursive: true });
  for (const name of keys) await writeFile(join(outside, 'ssh', name), 'outside');
  return {
    root,
    outside,
    ssh: join(root, 'etc/ssh'),
    drop: () => dropHostKeys(root, process.getuid?.() ?? 0),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

describe('dropHostKeys', () => {
  it('removes the keys, leaves a note, and nothing else', async () => {
    await using f = await fixture();
    for (const name of [...keys, 'sshd_config', 'moduli', 'my_ssh_host_key'])
      await writeFile(join(f.ssh, name), '');
    await f.drop();
    await f.drop();
    expect((await readdir(f.ssh)).sort()).toEqual([
      'moduli',
      'my_ssh_host_key',
      'ssh_host_keys.wanted',
      'sshd_config',
    ]);
  });

  it('leaves no note where there were no keys', async () => {
    await using f = await fixture();
    await f.drop();
    expect(await readdir(f.ssh)).toEqual([]);
    await rm(join(f.root, 'etc'), { recursive: true });
    await f.drop();
  });

  it.each(['etc', 'etc/ssh'])('does not follow a link in place of %s', async (name) => {
    await using f = await fixture();
    await rm(join(f.root, name), { recursive: true });
    await symlink(name === 'etc' ? f.outside : join(f.outside, 'ssh'), join(f.root, name));
    await f.drop();
    expect((await readdir(join(f.outside, 'ssh'))).sort()).toEqual(keys);
  });

  it('removes links and leaves directories that have the name of a key, and follows no link for its note', async () => {
    await using f = await fixture();
    await symlink(join(f.outside, 'ssh/ssh_host_rsa_key'), join(f.ssh, 'ssh_host_rsa_key'));
    await mkdir(join(f.ssh, 'ssh_host_dsa_key/full'), { recursive: true });
    await f.drop();
    expect((await readdir(f.ssh)).sort()).toEqual(['ssh_host_dsa_key', 'ssh_host_keys.wanted']);
    await rm(join(f.ssh, 'ssh_host_keys.wanted'));
    await symlink(join(f.outside, 'made'), join(f.ssh, 'ssh_host_keys.wanted'));
    await writeFile(join(f.ssh, 'ssh_host_rsa_key'), '');
    await f.drop();
    expect(await readdir(f.outside)).toEqual(['ssh']);
  });
});
