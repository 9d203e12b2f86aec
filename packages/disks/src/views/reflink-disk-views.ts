import { join } from 'node:path';
import type { PathChange } from '@sprites/contract';
import type { Comparison, DiskViews, ViewSource } from '@sprites/core';
import type { DetachedMount } from '@sprites/linux';
import type { Bytes, Layers } from './layered-tree.ts';
import { type DiskFiles, type OpenDisk, openDisk, openImage } from './open-disk.ts';
import { Slots } from './slots.ts';
import { TreeWorker } from './tree-worker.ts';
import type { Message, Task } from './worker-messages.ts';

/** Each takes a thread, two loop devices and three mounts. */
const mostAtOnce = 3;
/** longer than any tick of the kernel's clock, and than what the time of the last write is rounded by */
const tickNs = 2_000_000_000n;
const nsPerSecond = 1_000_000_000n;

/** Looks into ext4 images and what they change of an EROFS image, by mounts that only this process can reach. */
export class ReflinkDiskViews implements DiskViews {
  readonly #files: DiskFiles;
  readonly #slots = new Slots(mostAtOnce);

  constructor(files: DiskFiles) {
    this.#files = files;
  }

  async *compare(comparison: Comparison, signal: AbortSignal): AsyncGenerator<readonly PathChange[]> {
    for await (const message of this.#run('compare', comparison, signal)) {
      if (message.type === 'changes') yield message.changes;
    }
  }

  async *patch(comparison: Comparison, signal: AbortSignal): AsyncGenerator<string> {
    for await (const message of this.#run('patch', comparison, signal)) {
      if (message.type === 'text') yield message.text;
    }
  }

  async *#run(
    kind: Task['kind'],
    { before, after, path }: Comparison,
    signal: AbortSignal,
  ): AsyncGenerator<Message> {
    using _ = await this.#slots.take(signal);
    await using mounts = new AsyncDisposableStack();
    // comes after the mounts to end before them: it reaches them by numbers that are soon used for something else
    await using worker = new TreeWorker(signal);
    const [beforeDisk, afterDisk, image] = await openAll(mounts, [
      openDisk(this.#files, before),
      openDisk(this.#files, after),
      openImage(before.imageFile),
    ]);
    const isSameImage = before.imageDigest === after.imageDigest;
    const afterImage = isSameImage ? image : mounts.use(await openImage(after.imageFile));
    yield* worker.run({
      kind,
      before: layersOf(before, beforeDisk, image),
      after: layersOf(after, afterDisk, afterImage),
      path: toNames(path),
      quietBeforeNs: BigInt(Math.min(beforeDisk.savedAtS, afterDisk.savedAtS)) * nsPerSecond - tickNs,
    });
  }
}

/** Hands what was opened to the stack, also when something else could not be opened. */
async function openAll<const T extends readonly AsyncDisposable[]>(
  stack: AsyncDisposableStack,
  openings: { readonly [K in keyof T]: Promise<T[K]> },
): Promise<T> {
  const settled = await Promise.allSettled(openings);
  for (const one of settled) if (one.status === 'fulfilled') stack.use(one.value);
  return Promise.all(openings);
}

function layersOf(source: ViewSource, disk: OpenDisk, image: DetachedMount): Layers {
  return { upper: join(disk.path, 'upper'), image: image.path, imageDigest: source.imageDigest };
}

function toNames(path: string): readonly Bytes[] {
  return path
    .split('/')
    .filter((name) => name !== '')
    .map((name) => Buffer.from(name).toString('latin1'));
}
