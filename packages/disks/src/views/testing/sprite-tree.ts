import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PathChange } from '@sprites/contract';
import type { ViewSource } from '@sprites/core';
import {
  attachLoop,
  isAttached,
  mount,
  runTool,
  unmount,
  unmountPool,
  withFrozenFileSystem,
} from '@sprites/linux';
import { makeErofs } from '../../images/erofs.ts';
import { openReflinkDisks } from '../../reflink/index.ts';
import { ReflinkDiskViews } from '../index.ts';

const mib = 1024 ** 2;
const signal = new AbortController().signal;

/** A disk over an image, put together as the root of a sprite is, and what looks into it. */
export async function openSpriteTree(fillImage: (directory: string) => Promise<void>) {
  const dataDir = await mkdtemp(join(tmpdir(), 'sprites-views-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const at = (name: string): string => join(dataDir, name);
  for (const name of ['rootfs', 'lower', 'disk', 'root']) await mkdir(at(name));
  await fillImage(at('rootfs'));
  await makeErofs({ root: at('rootfs'), file: at('image.erofs'), newestSeconds: 1_700_000_000, signal });
  const disks = await openReflinkDisks({ dataDir, signal, poolSizeBytes: 2048 * mib });
  stack.defer(() => unmountPool(at('pool')));
  await disks.create('one', 512 * mib);
  stack.defer(async () => {
    for (const name of ['root', 'disk', 'lower']) while (await unmount(at(name)));
    while (await isAttached(disks.file('one'))) await runTool(['sleep', '0.02']);
  });
  await mountFile(at('image.erofs'), at('lower'), 'erofs');
  await mountFile(disks.file('one'), at('disk'), 'ext4');
  const layers = `lowerdir=${at('lower')},upperdir=${at('disk')}/upper,workdir=${at('disk')}/work`;
  const data = `${layers},redirect_dir=on,xino=on`;
  await mount({ source: 'overlay', target: at('root'), type: 'overlay', data });
  const views = new ReflinkDiskViews(disks);
  const quiet: ViewSource['quiet'] = (clone) => withFrozenFileSystem(at('disk'), clone);
  const source = (checkpointId: string | undefined): ViewSource => ({
    diskId: 'one',
    checkpointId,
    imageFile: at('image.erofs'),
    imageDigest: 'sha256:one',
    quiet,
  });
  const resources = stack.move();
  return {
    disks,
    views,
    source,
    /** the tree as the sprite sees it */
    root: at('root'),
    save: (id: string) => disks.saveCheckpoint('one', id, quiet),
    compare: async (before: string | undefined, after: string | undefined, path = '/') => {
      const found: PathChange[] = [];
      const comparison = { before: source(before), after: source(after), path };
      for await (const some of views.compare(comparison, signal)) found.push(...some);
      return found;
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function mountFile(file: string, target: string, type: 'erofs' | 'ext4'): Promise<void> {
  await using device = await attachLoop({ file, readOnly: type === 'erofs' });
  const flags = type === 'erofs' ? (['read-only'] as const) : ([] as const);
  await mount({ source: device.path, target, type, flags });
}
