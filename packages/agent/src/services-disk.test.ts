import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { startAgent } from './testing/agent-process.ts';
import { ServiceClient } from './testing/service-client.ts';

const stays = 'exec sleep 1000';

describe('definitions on the disk', () => {
  it('are started in order by the next agent, but for those that were stopped', async () => {
    await using first = await startAgent();
    const before = new ServiceClient(first.socketPath);
    await before.shell('db', stays);
    await before.shell('web', stays, { needs: ['db'] });
    await before.shell('off', stays);
    await before.events('POST', 'services/off/stop');
    await using second = await startAgent({ args: ['--services-dir', `${first.dir}/services`] });
    const after = new ServiceClient(second.socketPath);
    const list = JSON.parse((await after.ask('GET', 'services')).body);
    await expect.poll(async () => (await after.get('web')).state.status).toBe('running');
    expect(list.map(({ name }: { name: string }) => name)).toEqual(['db', 'off', 'web']);
    const [db, web, off] = await Promise.all(['db', 'web', 'off'].map((name) => after.get(name)));
    expect([db?.state.status, web?.state.status, off?.state.status]).toEqual([
      'running',
      'running',
      'stopped',
    ]);
    expect((db?.state.started_at ?? '') <= (web?.state.started_at ?? '')).toBe(true);
    for (const one of [before, after]) {
      for (const name of ['web', 'db', 'off']) await one.ask('DELETE', `services/${name}`);
    }
  });

  it('that are none are left alone, and the others start', async () => {
    await using other = await startAgent();
    const dir = `${other.dir}/hostile`;
    await mkdir(dir);
    const good = { version: 1, stopped: false, definition: { cmd: 'sleep', args: ['1000'] } };
    const put = async (name: string, value: unknown): Promise<void> =>
      await writeFile(`${dir}/${name}`, typeof value === 'string' ? value : JSON.stringify(value));
    await put('good.json', good);
    await put('broken.json', '{');
    await put('future.json', { ...good, version: 2 });
    await put('text.json', '"text"');
    await put('a.json', { ...good, definition: { cmd: 'true', needs: ['b'] } });
    await put('b.json', { ...good, definition: { cmd: 'true', needs: ['a'] } });
    await put('.draft-7', 'half');
    await put('big.json', ' '.repeat(9_000_000));
    await mkdir(`${dir}/directory.json`);
    await symlink('/dev/zero', `${dir}/link.json`);
    execFileSync('mkfifo', [`${dir}/pipe.json`]);
    await put('-bad.json', good);
    await using reader = await startAgent({ args: ['--services-dir', dir] });
    const asked = new ServiceClient(reader.socketPath);
    await expect.poll(async () => (await asked.get('good')).state.status).toBe('running');
    const names = JSON.parse((await asked.ask('GET', 'services')).body).map(
      ({ name }: { name: string }) => name,
    );
    expect(names).toEqual(['b', 'good']);
    expect(existsSync(`${dir}/.draft-7`)).toBe(false);
    expect(await readFile(`${reader.dir}/logs/services/broken.log`, 'utf8')).toContain('cannot be used');
    await asked.ask('DELETE', 'services/good');
    await asked.ask('DELETE', 'services/b');
  });
});
