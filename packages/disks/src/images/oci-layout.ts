import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import { z } from 'zod';
import { emptyInTree, extractArchive, listArchive, removeInTree } from './archive.ts';
import type { Progress } from './progress.ts';

const maxJsonBytes = 4 * 1024 ** 2;
const maxDepth = 4;
const whiteout = '.wh.';
const opaque = '.wh..wh..opq';

const descriptor = z.object({
  mediaType: z.string(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'only sha256 digests are supported'),
  size: z.int().nonnegative(),
  platform: z.object({ architecture: z.string(), os: z.string() }).optional(),
});
const index = z.object({ schemaVersion: z.literal(2), manifests: z.array(descriptor).min(1) });
const manifest = z.object({
  schemaVersion: z.literal(2),
  config: descriptor,
  layers: z.array(descriptor).min(1),
});
const config = z.object({ architecture: z.string(), os: z.string() });

type Descriptor = z.infer<typeof descriptor>;

/** Unpacks the image of an OCI image layout (the directory with `index.json`) into the tree, layer by layer. */
export async function extractOciLayout(options: {
  readonly layout: string;
  readonly root: string;
  /** an empty directory to build on */
  readonly scratch: string;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { layout, root, scratch, progress, signal } = options;
  const { config: configBlob, layers } = await findManifest(layout, await readIndex(layout));
  const { architecture, os } = config.parse(await readJsonBlob(layout, configBlob));
  if (os !== 'linux' || architecture !== ociArchitecture()) {
    throw refuse(`it is for ${os}/${architecture}, and this host is linux/${ociArchitecture()}`);
  }
  for (const [position, layer] of layers.entries()) {
    progress(position / layers.length, `unpacking layer ${position + 1} of ${layers.length}`);
    const file = await checkBlob(layout, layer, signal);
    const { removed, emptied } = await readWhiteouts(file, signal);
    await emptyInTree(emptied, { root, scratch, signal });
    await removeInTree(removed, { root, scratch, signal });
    await extractArchive({ file, root, scratch, exclude: ['.wh.*', '*/.wh.*'], signal });
  }
}

/** What a layer takes away from those below it: https://github.com/opencontainers/image-spec/blob/main/layer.md */
async function readWhiteouts(
  file: string,
  signal: AbortSignal,
): Promise<{ readonly removed: readonly string[]; readonly emptied: readonly string[] }> {
  const removed: string[] = [];
  const emptied: string[] = [];
  const onName = (name: string): void => {
    const path = name.replace(/^(\.?\/)+/, '').replace(/\/+$/, '');
    const last = path.slice(path.lastIndexOf('/') + 1);
    if (!last.startsWith(whiteout)) return;
    const target = last === opaque ? dirname(path) : join(dirname(path), last.slice(whiteout.length));
    const isPlain = target.split('/').every((part) => part !== '..' && part !== '') && !target.includes('\\');
    if (!isPlain) throw refuse(`its whiteout ${JSON.stringify(name.slice(0, 200))} is not plain`);
    if (last === opaque) emptied.push(target);
    else removed.push(target);
  };
  let failure: unknown;
  await listArchive(
    file,
    (name) => {
      try {
        if (failure === undefined) onName(name);
      } catch (error) {
        failure = error;
      }
    },
    signal,
  );
  if (failure !== undefined) throw failure;
  if (removed.includes('.') || removed.some((path) => path.endsWith('/.')))
    throw refuse('a whiteout names nothing');
  return { removed, emptied };
}

async function readIndex(layout: string): Promise<z.infer<typeof index>> {
  return parse(index, await readJsonFile(join(layout, 'index.json')), 'index.json');
}

/** Follows nested indexes to the manifest for this host's processor. */
async function findManifest(layout: string, first: z.infer<typeof index>): Promise<z.infer<typeof manifest>> {
  let current = first;
  for (let depth = 0; depth < maxDepth; depth++) {
    const chosen = choose(current.manifests);
    const content = await readJsonBlob(layout, chosen);
    const isIndex = /image\.index|manifest\.list/.test(chosen.mediaType);
    if (!isIndex) return parse(manifest, content, 'the image manifest');
    current = parse(index, content, 'the image index');
  }
  throw refuse(`its indexes are nested more than ${maxDepth} deep`);
}

function choose(manifests: readonly Descriptor[]): Descriptor {
  const fitting = manifests.filter(
    ({ platform }) =>
      platform === undefined || (platform.os === 'linux' && platform.architecture === ociArchitecture()),
  );
  const [first, second] = fitting;
  if (first === undefined) throw refuse(`it has nothing for linux/${ociArchitecture()}`);
  if (second !== undefined) throw refuse(`it has ${fitting.length} images for this host; export just one`);
  return first;
}

async function readJsonBlob(layout: string, blob: Descriptor): Promise<unknown> {
  if (blob.size > maxJsonBytes) throw refuse(`${blob.digest} is larger than 4 MiB`);
  return readJsonFile(await checkBlob(layout, blob, AbortSignal.timeout(30_000)));
}

async function readJsonFile(file: string): Promise<unknown> {
  await checkRegular(file);
  await using handle = await open(file);
  const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(maxJsonBytes + 1), position: 0 });
  if (bytesRead > maxJsonBytes) throw refuse(`${basenameOf(file)} is larger than 4 MiB`);
  try {
    return JSON.parse(buffer.subarray(0, bytesRead).toString('utf8'));
  } catch (cause) {
    throw refuse(`${basenameOf(file)} is not JSON`, cause);
  }
}

/** The blob's file, after its bytes have been compared with its digest. */
async function checkBlob(layout: string, blob: Descriptor, signal: AbortSignal): Promise<string> {
  const file = join(layout, 'blobs', 'sha256', blob.digest.slice('sha256:'.length));
  await checkRegular(file);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 ** 2, signal })) hash.update(chunk);
  if (`sha256:${hash.digest('hex')}` !== blob.digest)
    throw refuse(`${blob.digest} is damaged; copy the image again`);
  return file;
}

/** A layout may come out of an archive: its links are not followed. */
async function checkRegular(file: string): Promise<void> {
  const found = await lstat(file).catch(() => undefined);
  if (found === undefined) throw refuse(`${basenameOf(file)} is missing`);
  if (!found.isFile()) throw refuse(`${basenameOf(file)} is not a regular file`);
}

function parse<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw refuse(`${what} is malformed: ${z.prettifyError(result.error).slice(0, 300)}`);
}

function ociArchitecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}

function basenameOf(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1);
}

function refuse(why: string, cause?: unknown): SpriteError {
  return new SpriteError('invalid_request', `the OCI image cannot be imported: ${why}`, { cause });
}
