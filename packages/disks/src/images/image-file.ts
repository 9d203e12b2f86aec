import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import type { Image } from '@sprites/core';
import { hasCode, syncDirectory } from '@sprites/linux';
import { z } from 'zod';
import { createUnfinishedName } from '../unfinished.ts';

const namePattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** What is written beside an image, in `<name>-<12 digits of the digest>.json`. */
const imageRecord = z.strictObject({
  name: z.string().regex(namePattern),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  size_bytes: z.int().positive(),
  created_at: z.iso.datetime(),
  /** hash of everything a build is made from; absent from imported images */
  recipe_hash: z.string().optional(),
});

/** An installed image and what it was made from. */
export type StoredImage = Image & { readonly recipeHash: string | undefined };

/** Refuses names that are no image names. */
export function checkImageName(name: string): void {
  if (namePattern.test(name)) return;
  throw new SpriteError(
    'invalid_request',
    `${JSON.stringify(name)} cannot name an image; use 1 to 63 lower-case letters, digits, dots, dashes, underscores`,
  );
}

/** Moves a finished EROFS file to its content-derived name and records it. Durable when it resolves. */
export async function publishImage(
  directory: string,
  made: { readonly file: string; readonly name: string; readonly recipeHash?: string | undefined },
  signal: AbortSignal,
): Promise<StoredImage> {
  const digest = await hashFile(made.file, signal);
  const { size } = await stat(made.file);
  const record = imageRecord.parse({
    name: made.name,
    digest,
    size_bytes: size,
    created_at: new Date().toISOString(),
    recipe_hash: made.recipeHash,
  });
  const base = `${made.name}-${digest.slice('sha256:'.length, 'sha256:'.length + 12)}`;
  const unfinished = join(directory, createUnfinishedName());
  await writeSynced(unfinished, `${JSON.stringify(record, undefined, 2)}\n`);
  await rename(made.file, join(directory, `${base}.erofs`));
  await rename(unfinished, join(directory, `${base}.json`));
  await syncDirectory(directory);
  return toImage(record, join(directory, `${base}.erofs`));
}

/** All complete images, newest first. */
export async function readImages(directory: string): Promise<readonly StoredImage[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.json') && !name.startsWith('.'));
  const images = await Promise.all(names.map((name) => readImage(directory, name.slice(0, -'.json'.length))));
  return images
    .filter((image) => image !== undefined)
    .sort((a, b) => b.createdAt.localeCompare(a.createdAt) || a.digest.localeCompare(b.digest));
}

/** Removes an image; the record goes first, so that a half-removed image is not listed. */
export async function removeImageFiles(directory: string, image: Image): Promise<void> {
  await rm(image.file.replace(/\.erofs$/, '.json'), { force: true });
  await rm(image.file, { force: true });
  await syncDirectory(directory);
}

async function readImage(directory: string, base: string): Promise<StoredImage | undefined> {
  try {
    const record = imageRecord.parse(JSON.parse(await readFile(join(directory, `${base}.json`), 'utf8')));
    const file = join(directory, `${base}.erofs`);
    const { size } = await stat(file);
    return size === record.size_bytes ? toImage(record, file) : undefined;
  } catch (error) {
    // removed by another process in between
    if (hasCode(error, 'ENOENT')) return undefined;
    throw new Error(
      `the record of image ${base} cannot be read; remove it and build or import the image again`,
      {
        cause: error,
      },
    );
  }
}

function toImage(record: z.infer<typeof imageRecord>, file: string): StoredImage {
  return {
    name: record.name,
    digest: record.digest,
    file,
    sizeBytes: record.size_bytes,
    createdAt: record.created_at,
    recipeHash: record.recipe_hash,
  };
}

async function hashFile(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 ** 2, signal })) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

async function writeSynced(file: string, text: string): Promise<void> {
  await using handle = await open(file, 'wx', 0o600);
  await handle.writeFile(text);
  await handle.sync();
}
