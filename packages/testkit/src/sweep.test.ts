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
});
