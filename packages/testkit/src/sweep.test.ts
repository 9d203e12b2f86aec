import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { findLeaks } from './leaks.ts';
import { sweep } from './sweep.ts';

describe('sweep', () => {
  it('kills processes and undoes mounts below the directories of the owner', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'sweep-'));
    await mkdir(path.join(folder, 'm'));
    await promisify(execFile)('mount', ['-t', 'tmpfs', 'none', path.join(folder, 'm')]);
    const child = spawn('sleep', ['60'], { cwd: path.join(folder, 'm') });
    const ended = new Promise((resolve) => child.once('close', resolve));
    await new Promise((resolve) => child.once('spawn', resolve));
    expect(await findLeaks({ folders: [folder] })).toHaveLength(2);
    expect(await sweep({ folders: [folder] })).toEqual([]);
    await ended;
    await rm(folder, { recursive: true });
  });

  it('takes back the address and the range that a server has claimed', async () => {
    const ip = async (command: string): Promise<string> =>
      (await promisify(execFile)('ip', command.split(' '))).stdout;
    const instance = process.pid.toString(16).padStart(8, '0');
    await ip(`address add 10.254.240.1/32 dev lo label lo:s${instance}`);
    await ip('route add unreachable 10.254.240.0/20 proto 83');
    const owner = { folders: [], instance };
    expect(await findLeaks(owner)).toEqual([`gateway 10.254.240.1/32 lo:s${instance}`]);
    expect(await sweep(owner)).toEqual([]);
    expect(await ip('route show type unreachable')).not.toContain('10.254.240.0');
  });
});
