import { link, open, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import type { Disks, DiskUsage } from '@sprites/core';
import { cloneFile, hasCode, measureExtents, syncDirectory } from '@sprites/linux';
import { formatBytes } from '../bytes.ts';
import { createUnfinishedName } from '../unfinished.ts';
import { type PoolPaths, releasePool } from './pool-paths.ts';
import { makeTemplate } from './template.ts';

const suffix = '.ext4';
const idPattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const minDiskBytes = 64 * 1024 ** 2;
const maxDiskBytes = 16 * 1024 ** 4;

/** What makes blocks shareable: the data directory's own file system, or an XFS in a file. */
export type ReflinkKind = 'reflink-directory' | 'reflink-loop';

/** Disks as ext4 image files that share blocks with the template they were cloned from. */
export class ReflinkDisks implements Disks {
  readonly kind: ReflinkKind;
  readonly #dataDir: string;
  readonly #paths: PoolPaths;
  readonly #signal: AbortSignal;
  readonly #reserveBytes: number | undefined;
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
  }

  async create(id: string, sizeBytes: number): Promise<void> {
    const file = this.file(id);
    checkSize(sizeBytes);
    await this.#checkSpace();
    const unfinished = join(this.#paths.disks, createUnfinishedName());
    try {
      await cloneFile(await this.#template(sizeBytes), unfinished);
      await syncFile(unfinished);
      // A hard link, unlike a rename, never replaces a disk that is there.
      await link(unfinished, file);
    } catch (error) {
      throw await this.#explain(error);
    } finally {
      await rm(unfinished, { force: true });
    }
    await syncDirectory(this.#paths.disks);
  }

  async remove(id: string): Promise<void> {
    await rm(this.file(id), { force: true });
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
    if (!idPattern.test(id)) throw new Error(`${JSON.stringify(id)} cannot name a disk`);
    return join(this.#paths.disks, `${id}${suffix}`);
  }

  async usage(id: string): Promise<DiskUsage> {
    return measureExtents(this.file(id));
  }

  /** Free and total bytes; a pool in a file has no more free than the file system the file is on. */
  async space(): Promise<{ readonly freeBytes: number; readonly totalBytes: number }> {
    const pool = await statfs(this.#paths.disks);
    const below = await statfs(this.#dataDir);
    return {
      freeBytes: Math.min(pool.bavail * pool.bsize, below.bavail * below.bsize),
      totalBytes: pool.blocks * pool.bsize,
    };
  }

  /** Ends the use by this process; the pool stays mounted, as machines may run on it. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#templates.values());
  }

  /** Unmounts the pool; fails with `unavailable` while a disk is in use. Nothing may be called afterwards. */
  async release(): Promise<void> {
    await this.close();
    await releasePool(this.#dataDir);
  }

  async #checkSpace(): Promise<void> {
    const { freeBytes, totalBytes } = await this.space();
    const reserveBytes = this.#reserveBytes ?? Math.min(1024 ** 3, totalBytes / 10);
    if (freeBytes < reserveBytes) throw outOfSpace(freeBytes, reserveBytes);
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
    const { freeBytes } = await this.space();
    return outOfSpace(freeBytes, this.#reserveBytes ?? 0, error);
  }
}

function outOfSpace(freeBytes: number, reserveBytes: number, cause?: unknown): SpriteError {
  return new SpriteError(
    'out_of_space',
    `the disk pool has ${formatBytes(freeBytes)} free and keeps ${formatBytes(reserveBytes)} in reserve; ` +
      'destroy sprites or give the host more disk space',
    { cause },
  );
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

async function syncFile(file: string): Promise<void> {
  await using handle = await open(file, 'r');
  await handle.sync();
}
