import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import { hasCode } from '@sprites/linux';
import { z } from 'zod';
import type { ExtraCa } from './extra-ca.ts';
import { checkImageName } from './image-file.ts';

/** Part of every recipe's hash: raise it when the same recipe is built in another way. */
const builderVersion = 2;
const maxDepth = 8;

const recipeFile = z.strictObject({
  description: z.string(),
  /** recipe whose packages and set-up come first */
  extends: z.string().optional(),
  /** Debian release; inherited by extending recipes */
  suite: z.string().optional(),
  packages: z.array(z.string().regex(/^[a-z0-9][a-z0-9+.-]+$/)),
  /** npm packages for /usr/local; `{arch}` is Node's name of the processor */
  npm: z.array(z.string().regex(/^[@a-z0-9][\w@./{}^~-]*$/)),
});

/** A recipe together with those it extends, in the order in which they apply. */
export type Recipe = {
  readonly name: string;
  readonly suite: string;
  readonly packages: readonly string[];
  readonly npm: readonly string[];
  /** shell scripts run in the root file system, in this order */
  readonly scripts: readonly string[];
};

/** Reads the recipe and those it extends; throws `unknown_image` when there is none of that name. */
export async function readRecipe(recipesDir: string, name: string): Promise<Recipe> {
  const layers = await readLayers(recipesDir, name);
  const suite = layers.findLast((layer) => layer.suite !== undefined)?.suite;
  if (suite === undefined) throw new Error(`recipe ${name} names no suite`);
  return {
    name,
    suite,
    packages: [...new Set(layers.flatMap((layer) => layer.packages))].sort(),
    npm: layers.flatMap((layer) => layer.npm).map((each) => each.replace('{arch}', process.arch)),
    scripts: [...layers.map((layer) => layer.script), await readFile(join(recipesDir, 'finish.sh'), 'utf8')],
  };
}

/** Names of all recipes. */
export async function listRecipes(recipesDir: string): Promise<readonly string[]> {
  const entries = await readdir(recipesDir, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

/** Names everything the build is made from except the packages' versions: equal hashes, nothing to build. */
export function hashRecipe(recipe: Recipe, extraCa: ExtraCa | undefined): string {
  const facts = { builderVersion, arch: process.arch, recipe, extraCa: extraCa?.hash };
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex');
}

type Layer = z.infer<typeof recipeFile> & { readonly script: string };

async function readLayers(recipesDir: string, name: string): Promise<readonly Layer[]> {
  const layers: Layer[] = [];
  for (let next: string | undefined = name; next !== undefined; next = layers[0]?.extends) {
    if (layers.length === maxDepth) throw new Error(`recipe ${name} extends more than ${maxDepth} others`);
    layers.unshift(await readLayer(recipesDir, next));
  }
  return layers;
}

async function readLayer(recipesDir: string, name: string): Promise<Layer> {
  checkImageName(name);
  try {
    const recipe = recipeFile.parse(
      JSON.parse(await readFile(join(recipesDir, name, 'recipe.json'), 'utf8')),
    );
    return { ...recipe, script: await readFile(join(recipesDir, name, 'setup.sh'), 'utf8') };
  } catch (cause) {
    if (!hasCode(cause, 'ENOENT')) throw cause;
    const known = (await listRecipes(recipesDir)).join(', ');
    throw new SpriteError('unknown_image', `there is no recipe ${name}; choose one of ${known}`, { cause });
  }
}
