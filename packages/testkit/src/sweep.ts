import { execFile } from 'node:child_process';
import { rmdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { findLeaks, type Owner } from './leaks.ts';

const rounds = 20;

/** Removes by force what `findLeaks` finds, after it has been reported; returns what resisted. */
export async function sweep(owner: Owner): Promise<readonly string[]> {
  let left = await findLeaks(owner);
  for (let round = 0; round < rounds && left.length > 0; round++) {
    // What was made last stands on what was made before.
    for (const line of [...left].reverse()) await remove(line);
    await sleep(50);
    left = await findLeaks(owner);
  }
  return left;
}

async function remove(line: string): Promise<void> {
  const [kind, name = ''] = line.split(' ');
  switch (kind) {
    case 'process':
      return kill(Number(name));
    case 'mount':
      return await attempt('umount', ['--lazy', unescapeOctal(name)]);
    case 'loop':
      return await attempt('losetup', ['--detach', `/dev/${name}`]);
    case 'interface':
      return await attempt('ip', ['link', 'delete', name]);
    case 'gateway':
      return await removeGateway(name);
    case 'netns':
      return await attempt('ip', ['netns', 'delete', name]);
    case 'table':
      return await attempt('nft', ['delete', ...line.split(' ')]);
    case 'cgroup':
      // Not empty as long as a process in it has not ended; the next round finds it again.
      return await rmdir(name).catch(() => undefined);
    default:
      throw new Error(`no way is known to remove ${line}`);
  }
}

/** The route of a server's range begins one below the address. */
async function removeGateway(address: string): Promise<void> {
  const [, network = '', last = ''] = /^(.*\.)(\d+)\/32$/.exec(address) ?? [];
  const { stdout } = await promisify(execFile)('ip', ['-4', 'route', 'show', 'type', 'unreachable']);
  const start = `${network}${Number(last) - 1}/`;
  const range = stdout.split(/\s+/).find((word) => word.startsWith(start));
  if (range !== undefined) await attempt('ip', ['route', 'delete', 'unreachable', range]);
  await attempt('ip', ['address', 'delete', address, 'dev', 'lo']);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself meanwhile.
  }
}

/** Fails when the thing is gone already or another one still holds it; the next round tells which. */
async function attempt(command: string, args: readonly string[]): Promise<void> {
  await promisify(execFile)(command, args).catch(() => undefined);
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
