import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runProgram } from '../program.ts';
import { listSources, root } from '../tree.ts';

const cacheFolder = '/var/cache/sprites-test';

/**
 * Makes sure the images that tests need are built, and returns the directory they are in.
 * It is named by the content of the recipes and of what builds them, so a second run finds them there.
 */
export async function prepareTestImages(): Promise<string> {
  const folder = path.join(cacheFolder, `images-${await hashRecipes()}`);
  await mkdir(folder, { recursive: true });
  for (const image of ['minimal', 'standard']) await buildOnce(folder, image);
  return folder;
}

async function hashRecipes(): Promise<string> {
  const hash = createHash('sha256');
  for (const part of ['images', 'packages/disks/src/images']) {
    for (const file of await listSources(path.join(root, part))) {
      hash.update(`${path.relative(root, file)}\0`).update(await readFile(file));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

async function buildOnce(folder: string, image: string): Promise<void> {
  const stamp = path.join(folder, `.${image}-built`);
  if ((await readFile(stamp, 'utf8').catch(() => undefined)) !== undefined) return;
  console.log(`Building image ${image} for the tests (once; kept in ${folder})`);
  // Another run may want the same image at the same time; the lock makes one of them wait.
  const code = await runProgram('flock', [
    path.join(folder, '.lock'),
    ...[process.execPath, path.join(root, 'packages/server/src/main.ts'), 'image', 'build', image],
    ...['--data-dir', path.join(cacheFolder, 'build'), '--images-dir', folder],
  ]);
  if (code !== 0) throw new Error(`building image ${image} failed with exit code ${code}`);
  await writeFile(stamp, '');
}
