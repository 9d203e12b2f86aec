import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { findProject, removeProject, writeProject } from './project-file.ts';

const roots: string[] = [];

async function fixture(): Promise<{ readonly root: string; readonly deep: string }> {
  const root = await mkdtemp(path.join(tmpdir(), 'sprites-project-'));
  roots.push(root);
  const deep = path.join(root, 'a', 'b');
  await mkdir(deep, { recursive: true });
  return { root, deep };
}

afterEach(async () => {
  for (const root of roots.splice(0)) await rm(root, { recursive: true, force: true });
});

describe('findProject', () => {
  it('takes the nearest file on the way up', async () => {
    const { root, deep } = await fixture();
    await writeProject(root, { organization: 'acme', sprite: 'far' });
    expect(await findProject(deep)).toMatchObject({ organization: 'acme', sprite: 'far' });
    await writeProject(path.dirname(deep), { organization: undefined, sprite: 'near' });
    expect(await findProject(deep)).toMatchObject({ organization: undefined, sprite: 'near' });
  });

  it('passes over directories of that name, as sprites have one at their root', async () => {
    const { root, deep } = await fixture();
    await mkdir(path.join(deep, '.sprite'));
    await writeProject(root, { organization: 'acme', sprite: 'demo' });
    expect((await findProject(deep))?.sprite).toBe('demo');
  });

  it.each(['not json', '[]', '"demo"'])('says which file is wrong when it holds %s', async (content) => {
    const { root } = await fixture();
    await writeFile(path.join(root, '.sprite'), content);
    await expect(findProject(root)).rejects.toThrow(path.join(root, '.sprite'));
  });
});

describe('writeProject', () => {
  it('keeps members it does not know', async () => {
    const { root } = await fixture();
    await writeFile(path.join(root, '.sprite'), '{"sprite":"old","other":1}');
    await writeProject(root, { organization: 'acme', sprite: 'new' });
    const content: unknown = JSON.parse(await readFile(path.join(root, '.sprite'), 'utf8'));
    expect(content).toEqual({ organization: 'acme', sprite: 'new', other: 1 });
  });
});

describe('removeProject', () => {
  it('removes the file of this directory only', async () => {
    const { root, deep } = await fixture();
    await writeProject(root, { organization: 'acme', sprite: 'demo' });
    expect(await removeProject(deep)).toBe(false);
    expect(await removeProject(root)).toBe(true);
    expect(await removeProject(root)).toBe(false);
  });
});
