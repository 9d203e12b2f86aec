import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../../..');
const cacheFolder = '/var/cache/sprites-test';
const keptCharacters = 4000;

/**
 * Makes sure the named images are built, and returns the directory they are in, for the option `imagesDir` of a test server.
 * It is named by the content of the recipes and of what builds them, so a second run finds them there.
 */
export async function prepareTestImages(names: readonly string[]): Promise<string> {
  const folder = path.join(cacheFolder, `images-${await hashRecipes()}`);
  await mkdir(folder, { recursive: true });
  for (const name of names) await buildOnce(folder, name);
  return folder;
}

async function hashRecipes(): Promise<string> {
  const hash = createHash('sha256');
  for (const part of ['images', 'packages/disks/src/images']) {
    const entries = await readdir(path.join(root, part), { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((e) => path.join(e.parentPath, e.name));
    for (const file of files.filter((name) => !name.endsWith('.test.ts')).sort()) {
      hash.update(`${path.relative(root, file)}\0`).update(await readFile(file));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

async function buildOnce(folder: string, name: string): Promise<void> {
  const stamp = path.join(folder, `.${name}-built`);
  if ((await readFile(stamp, 'utf8').catch(() => undefined)) !== undefined) return;
  console.log(`Building image ${name} for the tests (a minute or more; once; kept in ${folder})`);
  // Another run may want the same image at the same time: the lock makes one of them wait, and then find it.
  const child = spawn(
    'flock',
    [
      path.join(cacheFolder, 'build.lock'),
      ...['sh', '-c', '[ -e "$0" ] || { "$@" && : >"$0"; }', stamp],
      ...[process.execPath, path.join(root, 'packages/server/src/main.ts'), 'image', 'build', name],
      ...['--data-dir', path.join(cacheFolder, 'build'), '--images-dir', folder],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-keptCharacters);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`building image ${name} failed with exit code ${code}:\n${said}`);
}
