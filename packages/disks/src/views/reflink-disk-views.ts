import { join } from 'node:path';
import type { PathChange } from '@sprites/contract';
import type { Comparison, DiskViews, ViewSource } from '@sprites/core';
import { type DetachedMount, withQuickGracePeriods } from '@sprites/linux';
import type { Bytes, Layers } from './layered-tree.ts';
import { type DiskFiles, type OpenDisk, openDisk, openImage } from './open-disk.ts';
import { Slots } from './slots.ts';
import { TreeWorkers } from './tree-workers.ts';
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
  readonly #workers = new TreeWorkers();

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
    await using worker = this.#workers.open();
    const [beforeDisk, afterDisk, image] = await openAll(mounts, [
      openDisk(this.#files, before),
      openDisk(this.#files, after),
      openImage(before.imageFile),
    ]);
    const isSameImage = before.imageDigest === after.imageDigest;
    const afterImage = isSameImage ? image : mounts.use(await openImage(after.imageFile));
    const task = {
      kind,
      before: layersOf(before, beforeDisk, image),
      after: layersOf(after, afterDisk, afterImage),
      path: toNames(path),
      quietBeforeNs: BigInt(Math.min(beforeDisk.savedAtS, afterDisk.savedAtS)) * nsPerSecond - tickNs,
    };
    yield* worker.run(task, signal);
  }
}

/** Hands what was opened to the stack, also when something else could not be opened. */
async function openAll<const T extends readonly AsyncDisposable[]>(
  stack: AsyncDisposableStack,
  openings: { readonly [K in keyof T]: Promise<T[K]> },
): Promise<T> {
  const settled = await withQuickGracePeriods(() => Promise.allSettled(openings));
  const opened = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  // at once, as what the kernel remembers of thousands of files takes it a moment to forget
  stack.defer(async () => {
    await withQuickGracePeriods(() => Promise.all(opened.map((one) => one[Symbol.asyncDispose]())));
  });
  return Promise.all(openings);
}

function layersOf(source: ViewSource, disk: OpenDisk, image: DetachedMount): Layers {
  return {
    upper: join(disk.path, 'upper'),
    image: image.path,
    imageDigest: source.imageDigest,
    disk: disk.fd,
  };
}

function toNames(path: string): readonly Bytes[] {
  return path
    .split('/')
    .filter((name) => name !== '')
    .map((name) => Buffer.from(name).toString('latin1'));
}
