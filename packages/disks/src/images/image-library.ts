import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import type { Image, Images } from '@sprites/core';
import { createUnfinishedName } from '../unfinished.ts';
import { buildRootfs } from './build-rootfs.ts';
import { findNewestSeconds, makeErofs } from './erofs.ts';
import { readExtraCa } from './extra-ca.ts';
import {
  checkImageName,
  publishImage,
  readImages,
  removeImageFiles,
  type StoredImage,
} from './image-file.ts';
import { importRootfs } from './import-rootfs.ts';
import { type Progress, partOf } from './progress.ts';
import { hashRecipe, listRecipes, readRecipe } from './recipe.ts';

/** Tells whether a sprite needs the image with this digest. */
export type InUse = (digest: string) => boolean | Promise<boolean>;

export type BuildOptions = {
  /** PEM file of certificates that sprites of this image trust */
  readonly extraCaFile?: string | undefined;
  /** build although an image of this very recipe is there, to get newer packages */
  readonly fresh?: boolean | undefined;
  readonly progress?: Progress | undefined;
};

export type ImportOptions = {
  /** the image's name */
  readonly name: string;
  /** PEM file of certificates added to the image's system store */
  readonly extraCaFile?: string | undefined;
  readonly progress?: Progress | undefined;
};

/** The base images of a data directory. Several processes may use one at the same time. */
export class ImageLibrary implements Images {
  readonly #directory: string;
  readonly #recipesDir: string;
  readonly #signal: AbortSignal;
  readonly #log: { info(message: string): void } | undefined;

  constructor(options: {
    readonly directory: string;
    readonly recipesDir: string;
    readonly signal: AbortSignal;
    readonly log: { info(message: string): void } | undefined;
  }) {
    this.#directory = options.directory;
    this.#recipesDir = options.recipesDir;
    this.#signal = options.signal;
    this.#log = options.log;
  }

  /** Finds by name (the newest), by whole digest, or by `name-<first 12 digits of the digest>` as in file names. */
  async find(nameOrDigest: string): Promise<StoredImage | undefined> {
    const images = await readImages(this.#directory);
    return images.find((image) => namesOf(image).includes(nameOrDigest));
  }

  async list(): Promise<readonly StoredImage[]> {
    return readImages(this.#directory);
  }

  /** Names that `build` knows. */
  async recipes(): Promise<readonly string[]> {
    return listRecipes(this.#recipesDir);
  }

  /** Hash of the recipe as it is now; an image with it needs no build. */
  async recipeHash(name: string, extraCaFile?: string): Promise<string> {
    const extraCa = extraCaFile === undefined ? undefined : await readExtraCa(extraCaFile);
    return hashRecipe(await readRecipe(this.#recipesDir, name), extraCa);
  }

  /** Builds the recipe's image unless an image of that very recipe and extra CA is there. */
  async build(name: string, options: BuildOptions = {}): Promise<StoredImage> {
    const { extraCaFile, fresh = false, progress = () => undefined } = options;
    const recipe = await readRecipe(this.#recipesDir, name);
    const extraCa = extraCaFile === undefined ? undefined : await readExtraCa(extraCaFile);
    const recipeHash = hashRecipe(recipe, extraCa);
    const there = (await this.list()).find((image) => image.name === name && image.recipeHash === recipeHash);
    if (there !== undefined && !fresh) return there;
    this.#log?.info(`building image ${name}`);
    return this.#make({ name, recipeHash }, progress, (root, directory) =>
      buildRootfs({
        recipe,
        extraCa,
        root,
        directory,
        progress: partOf(progress, 0, 0.9),
        signal: this.#signal,
      }),
    );
  }

  /** Makes an image from a root file system (tar, also compressed) or an OCI layout (directory or tar). */
  async import(path: string, options: ImportOptions): Promise<StoredImage> {
    const { name, extraCaFile, progress = () => undefined } = options;
    checkImageName(name);
    const extraCa = extraCaFile === undefined ? undefined : await readExtraCa(extraCaFile);
    this.#log?.info(`importing image ${name}`);
    return this.#make({ name, recipeHash: undefined }, progress, (root, directory) =>
      importRootfs({
        path,
        extraCa,
        root,
        directory,
        progress: partOf(progress, 0, 0.9),
        signal: this.#signal,
      }),
    );
  }

  /** Removes one image, which no sprite may need; returns it. */
  async remove(nameOrDigest: string, inUse: InUse): Promise<Image> {
    const image = await this.find(nameOrDigest);
    if (image === undefined) throw new SpriteError('unknown_image', `there is no image ${nameOrDigest}`);
    if (await inUse(image.digest)) {
      throw new SpriteError(
        'invalid_request',
        `image ${nameOrDigest} is in use by sprites; destroy them first`,
      );
    }
    await removeImageFiles(this.#directory, image);
    return image;
  }

  /** Makes a tree in a directory that goes away whatever happens, packs it and publishes the file. */
  async #make(
    image: { readonly name: string; readonly recipeHash: string | undefined },
    progress: Progress,
    fill: (root: string, directory: string) => Promise<void>,
  ): Promise<StoredImage> {
    const directory = join(this.#directory, createUnfinishedName());
    const root = join(directory, 'root');
    const file = join(directory, 'image.erofs');
    const started = join(directory, 'started');
    const signal = this.#signal;
    try {
      await mkdir(directory, { mode: 0o700 });
      await writeFile(started, '');
      await fill(root, directory);
      progress(0.9, 'packing the file system');
      await makeErofs({ root, file, newestSeconds: await findNewestSeconds(root, started, signal), signal });
      progress(0.97, 'checking');
      return await publishImage(this.#directory, { file, ...image }, signal);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }
}

function namesOf(image: Image): readonly string[] {
  return [
    image.name,
    image.digest,
    `${image.name}-${image.digest.slice('sha256:'.length, 'sha256:'.length + 12)}`,
  ];
}
