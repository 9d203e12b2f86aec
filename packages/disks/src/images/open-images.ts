import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { removeUnfinished } from '../unfinished.ts';
import { ImageLibrary } from './image-library.ts';

const recipesOfTheRepository = fileURLToPath(new URL('../../../../images/', import.meta.url));

export type ImagesOptions = {
  /** the server's data directory; images live in `images` below it */
  readonly dataDir: string;
  /** where images live instead; servers may share such a directory */
  readonly imagesDir?: string | undefined;
  readonly signal: AbortSignal;
  /** the directory of recipes; the repository's own by default */
  readonly recipesDir?: string | undefined;
  readonly log?: { info(message: string): void } | undefined;
};

/** Opens the images of a data directory and removes what a killed build left. Nothing needs to be closed. */
export async function openImages(options: ImagesOptions): Promise<ImageLibrary> {
  const { dataDir, signal, log, recipesDir = recipesOfTheRepository } = options;
  const directory = options.imagesDir ?? join(dataDir, 'images');
  // Files of an image may be set-uid root: nobody else on the host gets in here.
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await removeUnfinished(directory);
  return new ImageLibrary({ directory, recipesDir, signal, log });
}
