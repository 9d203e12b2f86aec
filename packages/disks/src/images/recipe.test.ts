import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { hashRecipe, listRecipes, readRecipe } from './recipe.ts';

const ours = fileURLToPath(new URL('../../../../images/', import.meta.url));

async function fixture(recipes: Readonly<Record<string, object>>) {
  const dir = await mkdtemp(join(tmpdir(), 'sprites-recipes-'));
  await writeFile(join(dir, 'finish.sh'), 'finish');
  for (const [name, recipe] of Object.entries(recipes)) {
    await mkdir(join(dir, name));
    await writeFile(join(dir, name, 'recipe.json'), JSON.stringify(recipe));
    await writeFile(join(dir, name, 'setup.sh'), `setup ${name}`);
  }
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

const small = { description: 'small', suite: 'trixie', packages: ['bash'], npm: [] };
const large = { description: 'large', extends: 'small', packages: ['vim', 'bash'], npm: ['x-{arch}@1'] };

describe('readRecipe', () => {
  it('puts what a recipe extends first', async () => {
    await using f = await fixture({ small, large });
    expect(await readRecipe(f.dir, 'large')).toEqual({
      name: 'large',
      suite: 'trixie',
      packages: ['bash', 'vim'],
      npm: [`x-${process.arch}@1`],
      scripts: ['setup small', 'setup large', 'finish'],
    });
  });

  it('reads every recipe of the repository', async () => {
    const names = await listRecipes(ours);
    expect(names).toEqual(['full', 'minimal', 'standard']);
    for (const name of names) expect((await readRecipe(ours, name)).packages.length).toBeGreaterThan(5);
  });

  it('refuses names it does not know, and names that are paths', async () => {
    await using f = await fixture({ small });
    await expect(readRecipe(f.dir, 'other')).rejects.toMatchObject({
      code: 'unknown_image',
      message: 'there is no recipe other; choose one of small',
    });
    await expect(readRecipe(f.dir, '../small')).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('refuses unknown members, options among packages, and circles', async () => {
    await using f = await fixture({
      a: { ...small, surprise: 1 },
      b: { ...small, packages: ['--include'] },
      c: { ...large, extends: 'c' },
    });
    for (const name of ['a', 'b', 'c']) await expect(readRecipe(f.dir, name)).rejects.toThrow();
  });
});

describe('hashRecipe', () => {
  it('changes with packages, scripts and the extra CA, and with nothing else', async () => {
    await using f = await fixture({ small });
    const recipe = await readRecipe(f.dir, 'small');
    const ca = { certificates: ['x'], hash: 'h' };
    expect(hashRecipe(await readRecipe(f.dir, 'small'), undefined)).toBe(hashRecipe(recipe, undefined));
    const others = [
      hashRecipe(recipe, undefined),
      hashRecipe(recipe, ca),
      hashRecipe({ ...recipe, packages: ['vim'] }, undefined),
      hashRecipe({ ...recipe, scripts: [] }, undefined),
    ];
    expect(new Set(others).size).toBe(others.length);
  });
});
