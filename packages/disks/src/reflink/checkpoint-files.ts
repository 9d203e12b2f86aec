import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, syncDirectory } from '@sprites/linux';

const suffix = '.ext4';
const sumsSuffix = '.sums';
const idPattern = /^(v\d{1,15}|auto-[A-Za-z0-9-]{1,64})$/;

/** The files of checkpoints: one directory per disk, whose name the caller has checked. */
export class CheckpointFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Path of a checkpoint's file, whether it is there or not. */
  file(diskId: string, checkpointId: string): string {
    return this.#path(diskId, checkpointId, suffix);
  }

  /** Path of the file with a checkpoint's checksums, whether it is there or not. */
  sums(diskId: string, checkpointId: string): string {
    return this.#path(diskId, checkpointId, sumsSuffix);
  }

  /** Makes the place for a disk's checkpoints durable. */
  async prepare(diskId: string): Promise<void> {
    const made = await mkdir(join(this.#directory, diskId), { recursive: true, mode: 0o700 });
    if (made !== undefined) await syncDirectory(this.#directory);
  }

  async list(diskId: string): Promise<readonly string[]> {
    const names = await readdir(join(this.#directory, diskId)).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return [];
      throw error;
    });
    return names
      .filter((name) => name.endsWith(suffix))
      .map((name) => name.slice(0, -suffix.length))
      .filter((id) => idPattern.test(id));
  }

  async remove(diskId: string, checkpointId: string): Promise<void> {
    await rm(this.file(diskId, checkpointId), { force: true });
    await rm(this.sums(diskId, checkpointId), { force: true });
    try {
      await syncDirectory(join(this.#directory, diskId));
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }

  async removeAll(diskId: string): Promise<void> {
    await rm(join(this.#directory, diskId), { recursive: true, force: true });
    await syncDirectory(this.#directory);
  }

  #path(diskId: string, checkpointId: string, ending: string): string {
    if (!idPattern.test(checkpointId)) {
      throw new Error(`${JSON.stringify(checkpointId)} cannot name a checkpoint`);
    }
    return join(this.#directory, diskId, `${checkpointId}${ending}`);
  }
}
