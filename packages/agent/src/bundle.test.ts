import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { bundlePath } from './index.ts';

it('loads no module of Node at its start that takes long to load', async () => {
  const [head = ''] = (await readFile(bundlePath, 'utf8')).split(';');
  const modules = [...head.matchAll(/require\([`"'](node:[^`"']+)[`"']\)/g)].map(([, name]) => name);
  expect(modules).toContain('node:http');
  const slow = [
    'node:crypto',
    'node:zlib',
    'node:child_process',
    'node:dns',
    'node:tls',
    'node:https',
    'node:url',
  ];
  expect(modules.filter((name) => slow.includes(name ?? ''))).toEqual([]);
});
