import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { SpritesClient } from '@sprites/sdk';
import type { TestServer } from '@sprites/testkit';

/** Disks and checkpoints that the server says there are, as files of its pool. */
export async function expectedFiles(client: SpritesClient): Promise<readonly string[]> {
  const files: string[] = [];
  for (const sprite of await client.listAllSprites()) {
    files.push(`disks/${sprite.id}.ext4`);
    for (const { id } of await sprite.listCheckpoints({ includeAuto: true })) {
      if (id !== 'Current') files.push(`checkpoints/${sprite.id}/${id}.ext4`);
    }
  }
  return files.sort();
}

/** Image files in the pool, and whatever is half-made there. */
export async function poolFiles(server: TestServer): Promise<readonly string[]> {
  const names = await readdir(path.join(server.dataDir, 'pool'), { recursive: true });
  return names.filter((name) => /unfinished|^(disks|checkpoints).*\.ext4$/.test(name)).sort();
}

/** Image files that a loop device holds, by their path in the pool; those deleted meanwhile are named so by the kernel. */
export async function attachedFiles(server: TestServer): Promise<readonly string[]> {
  const pool = path.join(server.dataDir, 'pool/');
  const loops = (await readdir('/sys/block')).filter((name) => name.startsWith('loop'));
  const files = await Promise.all(
    loops.map((name) => readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => '')),
  );
  return files
    .filter((file) => file.startsWith(pool))
    .map((file) => file.slice(pool.length).trim())
    .sort();
}

/** What a server holds of its host, in numbers. */
export async function resourcesOf(server: TestServer): Promise<Readonly<Record<string, number>>> {
  const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
  const value = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  const lines = await server.leaks();
  const count = (kind: string): number => lines.filter((line) => line.startsWith(`${kind} `)).length;
  return {
    fds: (await readdir(`/proc/${server.pid}/fd`)).length,
    threads: value('Threads'),
    residentMb: Math.round(value('VmRSS') / 1024),
    mounts: count('mount'),
    loops: count('loop'),
    cgroups: count('cgroup'),
    interfaces: count('interface'),
    processes: count('process'),
    files: (await poolFiles(server)).length,
  };
}
