import { access, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import type { DiskStorage, Disks, DiskUsage, Quiet } from '@sprites/core';
import { hasCode, isAttached, measureExtents, syncDirectory } from '@sprites/linux';
import { formatBytes } from '../bytes.ts';
import { ChecksumThread, ReflinkChecksums } from '../checksums/index.ts';
import { CheckpointFiles } from './checkpoint-files.ts';
import { haveDiverged } from './compare-disks.ts';
import { inspectDisk } from './inspect-disk.ts';
import { addClone, type PlaceClone, replaceByClone } from './place-clone.ts';
import { type PoolPaths, releasePool } from './pool-paths.ts';
import { measurePool, type PoolSpace } from './pool-space.ts';
import { makeTemplate } from './template.ts';

const suffix = '.ext4';
const idPattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const settledMs = 2000;
const minDiskBytes = 64 * 1024 ** 2;
const maxDiskBytes = 16 * 1024 ** 4;

/** What makes blocks shareable: the data directory's own file system, or an XFS in a file. */
export type ReflinkKind = 'reflink-directory' | 'reflink-loop';

export type DiskBytes = { readonly id: string; readonly usedBytes: number };

/** Disks and checkpoints as ext4 image files that share blocks with what they were cloned from. */
export class ReflinkDisks implements Disks {
  readonly kind: ReflinkKind;
  readonly checksums: ReflinkChecksums;
  readonly #dataDir: string;
  readonly #paths: PoolPaths;
  readonly #signal: AbortSignal;
  readonly #reserveBytes: number | undefined;
  readonly #checkpoints: CheckpointFiles;
  /** what was found unchanged, and since when: the checkpoint and the time of the last write */
  readonly #unchanged = new Map<string, string>();
  /** one of its own: checksums take long */
  readonly #measuring = new ChecksumThread();
  readonly #templates = new Map<number, Promise<string>>();

  constructor(options: {
    readonly kind: ReflinkKind;
    readonly dataDir: string;
    readonly paths: PoolPaths;
    readonly signal: AbortSignal;
    readonly reserveBytes: number | undefined;
  }) {
    this.kind = options.kind;
    this.#dataDir = options.dataDir;
    this.#paths = options.paths;
    this.#signal = options.signal;
    this.#reserveBytes = options.reserveBytes;
    this.#checkpoints = new CheckpointFiles(options.paths.checkpoints);
    this.checksums = new ReflinkChecksums(this.#checkpoints, options.paths.checkpoints);
  }

  async create(id: string, sizeBytes: number): Promise<void> {
    const file = this.file(id);
    checkSize(sizeBytes);
    await this.#add(async () => ({
      from: await this.#template(sizeBytes),
      to: file,
      workDir: this.#paths.disks,
    }));
  }

  async remove(id: string): Promise<void> {
    const file = this.file(id);
    this.#unchanged.delete(id);
    // The disk comes last: while it is there, a removal that was cut short is known to be unfinished.
    await this.#checkpoints.removeAll(id);
    await rm(file, { force: true });
    await syncDirectory(this.#paths.disks);
  }

  async list(): Promise<readonly string[]> {
    const names = await readdir(this.#paths.disks);
    return names
      .filter((name) => name.endsWith(suffix))
      .map((name) => name.slice(0, -suffix.length))
      .filter((id) => idPattern.test(id));
  }

  file(id: string): string {
    checkId(id);
    return join(this.#paths.disks, `${id}${suffix}`);
  }

  /** Absolute host path of a checkpoint's file. Throws `checkpoint_not_found`. */
  async checkpointFile(id: string, checkpointId: string): Promise<string> {
    return this.#findCheckpoint(id, checkpointId);
  }

  /** Directory of the pool for copies that live for a moment. */
  get workDir(): string {
    return this.#paths.disks;
  }

  /** Makes the place for a disk's checkpoints, and tells the paths they have there. */
  async prepareCheckpoints(id: string): Promise<(checkpointId: string) => string> {
    checkId(id);
    await this.#checkpoints.prepare(id);
    return (checkpointId) => this.#checkpoints.file(id, checkpointId);
  }

  /** Path of an empty formatted disk of this size. */
  template(sizeBytes: number): Promise<string> {
    checkSize(sizeBytes);
    return this.#template(sizeBytes);
  }

  async usage(id: string): Promise<DiskUsage> {
    return measureExtents(this.file(id));
  }

  async saveCheckpoint(id: string, checkpointId: string, quiet?: Quiet): Promise<void> {
    const from = this.file(id);
    const to = this.#checkpoints.file(id, checkpointId);
    await this.#add(async () => {
      await this.#checkpoints.prepare(id);
      return { from, to, workDir: this.#paths.checkpoints, quiet };
    });
  }

  async restoreCheckpoint(id: string, checkpointId: string): Promise<void> {
    const to = this.file(id);
    const from = await this.#findCheckpoint(id, checkpointId);
    if (await isAttached(to)) {
      throw new SpriteError('unavailable', `the disk of ${id} is in use; stop the sprite first`);
    }
    try {
      await replaceByClone({ from, to, workDir: this.#paths.disks });
    } catch (error) {
      throw await this.#explain(error);
    }
  }

  async fork(fromId: string, checkpointId: string | undefined, toId: string, quiet?: Quiet): Promise<void> {
    const to = this.file(toId);
    const isLive = checkpointId === undefined;
    const from = isLive ? this.file(fromId) : await this.#findCheckpoint(fromId, checkpointId);
    const workDir = this.#paths.disks;
    await this.#add(async () => ({ from, to, workDir, quiet: isLive ? quiet : undefined }));
  }

  async removeCheckpoint(id: string, checkpointId: string): Promise<void> {
    checkId(id);
    await this.#checkpoints.remove(id, checkpointId);
  }

  async listCheckpoints(id: string): Promise<readonly string[]> {
    checkId(id);
    return this.#checkpoints.list(id);
  }

  async hasChangedSince(id: string, checkpointId: string): Promise<boolean> {
    try {
      const { mtimeNs, mtimeMs } = await stat(this.file(id), { bigint: true });
      const state = `${checkpointId} ${mtimeNs}`;
      if (this.#unchanged.get(id) === state) return false;
      const hasChanged = await haveDiverged(this.file(id), this.#checkpoints.file(id, checkpointId));
      // another write may get the same time as one just now
      const isSettled = Date.now() - Number(mtimeMs) > settledMs;
      if (!hasChanged && isSettled) this.#unchanged.set(id, state);
      return hasChanged;
    } catch (error) {
      // without a disk there is nothing to save, without the checkpoint everything
      if (hasCode(error, 'ENOENT')) return this.has(id);
      throw error;
    }
  }

  async has(id: string): Promise<boolean> {
    return access(this.file(id)).then(
      () => true,
      (error: unknown) => {
        if (hasCode(error, 'ENOENT')) return false;
        throw error;
      },
    );
  }

  async inspect(id: string): Promise<string> {
    return inspectDisk(this.file(id));
  }

  async inspectCheckpoint(id: string, checkpointId: string): Promise<string> {
    checkId(id);
    return inspectDisk(this.#checkpoints.file(id, checkpointId));
  }

  async checkpointUsage(id: string, checkpointId: string): Promise<DiskUsage> {
    return measureExtents(await this.#findCheckpoint(id, checkpointId));
  }

  /** `neededBytes` is how much is going to be written. */
  async measure(id: string): Promise<DiskStorage> {
    const ids = await this.listCheckpoints(id);
    const checkpoints = ids.map((one) => ({ id: one, file: this.#checkpoints.file(id, one) }));
    return this.#measuring.run({ type: 'measure', disk: this.file(id), checkpoints });
  }

  async ensureSpace(neededBytes = 0): Promise<void> {
    const space = await this.space();
    if (space.freeBytes < space.reserveBytes + neededBytes) throw outOfSpace(space);
  }

  /** Free bytes are those of the pool or, when that is less, of the file system a pool in a file is on. */
  async space(): Promise<PoolSpace> {
    return measurePool(this.#paths, this.kind, this.#reserveBytes);
  }

  /** The disks that take most of the pool with their checkpoints, by bytes. */
  async largest(count: number): Promise<readonly DiskBytes[]> {
    const found: DiskBytes[] = [];
    for (const id of await this.list()) {
      const usedBytes = await this.#measureAll(id).catch((error: unknown) => {
        // removed meanwhile
        if (hasCode(error, 'ENOENT', 'checkpoint_not_found')) return 0;
        throw error;
      });
      found.push({ id, usedBytes });
    }
    return found.sort((a, b) => b.usedBytes - a.usedBytes).slice(0, count);
  }

  /** Ends the use by this process; the pool stays mounted, as machines may run on it. */
  async close(): Promise<void> {
    await Promise.allSettled([this.checksums.close(), this.#measuring.close(), ...this.#templates.values()]);
  }

  /** Unmounts the pool; fails with `unavailable` while a disk is in use. Nothing may be called afterwards. */
  async release(): Promise<void> {
    await this.close();
    await releasePool(this.#dataDir);
  }

  async #measureAll(id: string): Promise<number> {
    let { usedBytes } = await this.usage(id);
    for (const checkpointId of await this.listCheckpoints(id)) {
      usedBytes += (await this.checkpointUsage(id, checkpointId)).ownBytes;
    }
    return usedBytes;
  }

  async #findCheckpoint(id: string, checkpointId: string): Promise<string> {
    checkId(id);
    const file = this.#checkpoints.file(id, checkpointId);
    try {
      await access(file);
      return file;
    } catch (cause) {
      throw new SpriteError('checkpoint_not_found', `checkpoint ${checkpointId} of ${id} not found`, {
        cause,
      });
    }
  }

  /** Adds what `prepare` answers to the pool, unless that would leave too little space. */
  async #add(prepare: () => Promise<PlaceClone>): Promise<void> {
    await this.ensureSpace();
    try {
      await addClone(await prepare());
    } catch (error) {
      throw await this.#explain(error);
    }
  }

  /** One mkfs per size, however many ask; a failed one is tried again. */
  #template(sizeBytes: number): Promise<string> {
    const known = this.#templates.get(sizeBytes);
    if (known !== undefined) return known;
    const making = makeTemplate(this.#paths.templates, sizeBytes, this.#signal);
    this.#templates.set(sizeBytes, making);
    making.catch(() => this.#templates.delete(sizeBytes));
    return making;
  }

  async #explain(error: unknown): Promise<unknown> {
    if (!hasCode(error, 'ENOSPC')) return error;
    return outOfSpace(await this.space(), error);
  }
}

function outOfSpace({ freeBytes, reserveBytes }: PoolSpace, cause?: unknown): SpriteError {
  return new SpriteError(
    'out_of_space',
    `the disk pool has ${formatBytes(freeBytes)} free and keeps ${formatBytes(reserveBytes)} in reserve; ` +
      'destroy sprites or give the host more disk space',
    { cause },
  );
}

function checkId(id: string): void {
  if (!idPattern.test(id)) throw new Error(`${JSON.stringify(id)} cannot name a disk`);
}

function checkSize(sizeBytes: number): void {
  const fits = sizeBytes >= minDiskBytes && sizeBytes <= maxDiskBytes && sizeBytes % 4096 === 0;
  if (fits) return;
  throw new SpriteError(
    'invalid_request',
    `a disk of ${sizeBytes} bytes is not possible; choose a multiple of 4096 ` +
      `from ${formatBytes(minDiskBytes)} to ${formatBytes(maxDiskBytes)}`,
  );
}
