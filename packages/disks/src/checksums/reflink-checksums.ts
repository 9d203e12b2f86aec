import { access, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import type { Checksum, Checksums, Verification } from '@sprites/core';
import { hasCode, syncDirectory } from '@sprites/linux';
import type { CheckpointFiles } from '../reflink/checkpoint-files.ts';
import { createUnfinishedName } from '../unfinished.ts';
import { ChecksumThread } from './checksum-thread.ts';

type Root = { readonly id: string; readonly root: string };

/** Checksums of the checkpoints in a pool, each in a file beside its checkpoint. `close` ends what is under way. */
export class ReflinkChecksums implements Checksums {
  readonly #files: CheckpointFiles;
  readonly #workDir: string;
  readonly #thread = new ChecksumThread();

  /** `workDir` is of the same file system as the checkpoints. */
  constructor(files: CheckpointFiles, workDir: string) {
    this.#files = files;
    this.#workDir = workDir;
  }

  async make(diskId: string, checkpointId: string, like: readonly Root[]): Promise<Checksum> {
    const file = this.#files.file(diskId, checkpointId);
    const summed = like.map(({ id, root }) => ({
      file: this.#files.file(diskId, id),
      sums: this.#files.sums(diskId, id),
      root,
    }));
    try {
      const made = await this.#thread.run({ type: 'make', file, like: summed });
      await this.#keep(diskId, checkpointId, made.tree);
      return { root: made.root, sizeBytes: made.usedBytes, readBytes: made.readBytes };
    } catch (cause) {
      if (!hasCode(cause, 'ENOENT')) throw cause;
      const message = `the disk of checkpoint ${checkpointId} is missing`;
      throw new SpriteError('checkpoint_not_found', message, { cause });
    }
  }

  async verify(diskId: string, { id, root }: Root, pass: string): Promise<Verification> {
    const file = this.#files.file(diskId, id);
    const sums = this.#files.sums(diskId, id);
    try {
      const found = await this.#thread.run({ type: 'verify', file, sums, root, pass });
      if (found.tree !== undefined) await this.#keep(diskId, id, found.tree);
      return { health: found.health, sizeBytes: found.usedBytes, readBytes: found.readBytes };
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      return { health: 'its disk is missing', sizeBytes: 0, readBytes: 0 };
    }
  }

  /** From now on reading pauses while `isBusy` answers true, as somebody waits; it goes on in small steps all the same. */
  giveWay(isBusy: () => boolean): void {
    this.#thread.giveWay(isBusy);
  }

  async close(): Promise<void> {
    await this.#thread.close();
  }

  async #keep(diskId: string, checkpointId: string, tree: Uint8Array): Promise<void> {
    const sums = this.#files.sums(diskId, checkpointId);
    const unfinished = join(this.#workDir, createUnfinishedName());
    try {
      await writeDurably(unfinished, tree);
      await rename(unfinished, sums);
    } finally {
      await rm(unfinished, { force: true });
    }
    await syncDirectory(dirname(sums));
    // removed meanwhile: then nothing of it may be left
    await access(this.#files.file(diskId, checkpointId)).catch(async (error: unknown) => {
      await rm(sums, { force: true });
      throw error;
    });
  }
}

async function writeDurably(file: string, bytes: Uint8Array): Promise<void> {
  await using handle = await open(file, 'wx', 0o600);
  await handle.writeFile(bytes);
  await handle.sync();
}
