import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Store } from '@sprites/core';
import { type ImageLibrary, openImages } from '@sprites/disks/images';
import { openSqliteStore } from '@sprites/store/sqlite';
import type { Config } from '../config/config.ts';

/** Opens the images of the server with these settings; works beside a running server. */
async function openLibrary(config: Config): Promise<ImageLibrary> {
  await mkdir(config.dataDir, { recursive: true, mode: 0o711 });
  const signal = new AbortController().signal;
  return openImages({ dataDir: config.dataDir, imagesDir: config.imagesDir, signal });
}

/** Builds an image from its recipe unless it is up to date, with progress on the terminal. */
export async function buildImage(config: Config, recipe: string): Promise<void> {
  const library = await openLibrary(config);
  const image = await library.build(recipe, { extraCaFile: config.extraCa, progress: printProgress });
  process.stdout.write(`${image.name} ${image.digest}\n`);
}

/** Installs a root file system from a file or directory. */
export async function importImage(config: Config, path: string, name: string): Promise<void> {
  const library = await openLibrary(config);
  const image = await library.import(path, { name, extraCaFile: config.extraCa, progress: printProgress });
  process.stdout.write(`${image.name} ${image.digest}\n`);
}

export async function listImages(config: Config, json: boolean): Promise<void> {
  const images = await (await openLibrary(config)).list();
  if (json) {
    const rows = images.map(({ name, digest, sizeBytes, createdAt }) => ({
      name,
      digest,
      size_bytes: sizeBytes,
      created_at: createdAt,
    }));
    process.stdout.write(`${JSON.stringify(rows, undefined, 2)}\n`);
    return;
  }
  if (images.length === 0)
    process.stderr.write('no image is installed; sprites-server image build standard\n');
  for (const { name, digest, sizeBytes, createdAt } of images) {
    const size = `${Math.round(sizeBytes / 1024 / 1024)} MiB`;
    process.stdout.write(`${name.padEnd(16)} ${digest.slice(0, 19)}  ${size.padStart(9)}  ${createdAt}\n`);
  }
}

/** Removes an image that no sprite uses. */
export async function removeImage(config: Config, nameOrDigest: string): Promise<void> {
  const library = await openLibrary(config);
  const store = await openSqliteStore(join(config.dataDir, 'sprites.db'));
  try {
    const used = await findUsed(store);
    await library.remove(nameOrDigest, (digest) => used.has(digest));
  } finally {
    await store.close();
  }
}

/** Images of sprites, those they may have to go back to, and those their checkpoints were made over. */
async function findUsed(store: Store): Promise<ReadonlySet<string | undefined>> {
  const used = new Set<string | undefined>();
  for (const { id, imageDigest, restoring } of await store.listAllSprites()) {
    used.add(imageDigest).add(restoring?.imageDigest);
    for (const checkpoint of await store.listCheckpoints(id)) used.add(checkpoint.imageDigest);
  }
  return used;
}

let printed = '';

/** Shows progress on standard error: redrawn in place on a terminal, a line per step elsewhere. */
function printProgress(fraction: number | undefined, text: string): void {
  const percent = fraction === undefined ? '' : `${String(Math.floor(fraction * 100)).padStart(3)} % `;
  if (process.stderr.isTTY) {
    process.stderr.write(`\r\u001b[K${percent}${text.slice(0, Math.max(20, process.stderr.columns - 8))}`);
    if (fraction === 1) process.stderr.write('\n');
  } else if (text !== printed) {
    printed = text;
    process.stderr.write(`${percent}${text}\n`);
  }
}
