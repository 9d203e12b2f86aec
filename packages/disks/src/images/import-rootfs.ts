import { access, lstat, mkdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SpriteError } from '@sprites/contract';
import { extractArchive } from './archive.ts';
import { type ExtraCa, trustEnvironment } from './extra-ca.ts';
import { extractOciLayout } from './oci-layout.ts';
import { type Progress, partOf } from './progress.ts';
import { addSpriteUser } from './sprite-user.ts';
import { Tree } from './tree.ts';

const systemBundle = 'etc/ssl/certs/ca-certificates.crt';

/**
 * Unpacks a root file system (tar, compressed or not) or an OCI layout (directory or tar) into `root`, which must not
 * exist, and fits it for sprites. Nothing of it is run. `directory` is for scratch files.
 */
export async function importRootfs(options: {
  readonly path: string;
  readonly extraCa: ExtraCa | undefined;
  readonly root: string;
  readonly directory: string;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { path, extraCa, root, directory, progress, signal } = options;
  const scratch = join(directory, 'scratch');
  await mkdir(scratch, { mode: 0o700 });
  await mkdir(root, { mode: 0o755 });
  const oci = { root, scratch, progress: partOf(progress, 0.2, 0.9), signal };
  progress(0, 'unpacking');
  if (await isDirectory(resolve(path))) {
    await extractOciLayout({ ...oci, layout: resolve(path) });
  } else {
    await extractArchive({ file: resolve(path), root, scratch, exclude: ['./dev/*', 'dev/*'], signal });
    if (await isLayout(root)) {
      const layout = join(directory, 'layout');
      await moveAside(root, layout);
      await extractOciLayout({ ...oci, layout });
      await rm(layout, { recursive: true, force: true });
    }
  }
  progress(0.9, 'setting up');
  const tree = new Tree(root);
  await addSpriteUser(tree);
  for (const place of ['dev', 'proc', 'sys', 'run', 'tmp', 'etc']) await makePlace(tree, place);
  if (extraCa !== undefined) await trust(tree, extraCa);
}

async function isDirectory(path: string): Promise<boolean> {
  const found = await lstat(path).catch((cause: unknown) => {
    throw new SpriteError('invalid_request', `${path} cannot be read; check the path`, { cause });
  });
  return found.isDirectory();
}

async function isLayout(root: string): Promise<boolean> {
  return access(join(root, 'oci-layout')).then(
    () => true,
    () => false,
  );
}

async function moveAside(root: string, layout: string): Promise<void> {
  await rename(root, layout);
  await mkdir(root, { mode: 0o755 });
}

async function makePlace(tree: Tree, place: string): Promise<void> {
  if (await tree.has(place)) return;
  await tree.makeDirectory(place, { mode: 0o755 });
}

/** The image's programs are not run, so the bundle is extended as `update-ca-certificates` would. */
async function trust(tree: Tree, extraCa: ExtraCa): Promise<void> {
  const bundle = await tree.read(systemBundle);
  if (bundle === undefined) {
    throw new SpriteError(
      'invalid_request',
      'the image has no ca-certificates, and an extra CA is configured; add them',
    );
  }
  await tree.write(systemBundle, `${bundle.trimEnd()}\n${extraCa.certificates.join('')}`);
  if (await tree.hasDirectory('usr/local/share/ca-certificates')) {
    for (const [position, certificate] of extraCa.certificates.entries()) {
      await tree.write(`usr/local/share/ca-certificates/sprites-extra-${position + 1}.crt`, certificate);
    }
  }
  const lines = Object.entries(trustEnvironment).map(([name, value]) => `${name}=${value}\n`);
  await tree.write('etc/environment', `${(await tree.read('etc/environment')) ?? ''}${lines.join('')}`);
}
