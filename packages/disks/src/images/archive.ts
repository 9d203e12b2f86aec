import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { SpriteError } from '@sprites/contract';
import { runTool, ToolError } from '@sprites/linux';
import { runContained } from './contained.ts';

/** How an archive is compressed, and how tar is told so. */
const compressions = [
  { magic: Buffer.from([0x1f, 0x8b]), flag: '--gzip' },
  { magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), flag: '--zstd' },
  { magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]), flag: '--xz' },
  { magic: Buffer.from('BZh'), flag: '--bzip2' },
] as const;

/**
 * A world in which tar and rm see the host's programs read-only, the tree at `/tree`, and nothing else: whatever an
 * archive's names and links say, they can only mean something in the tree, or fail. $1 is an empty directory to build
 * it on, $2 the tree; the rest is the program. /lib and the like are links into /usr on every supported host.
 */
const confine = `
set -eu
mount -t tmpfs -o mode=0755,size=1m none "$1"
mkdir "$1/usr" "$1/tree"
for name in bin lib lib32 lib64 sbin; do if [ -L "/$name" ]; then cp -a "/$name" "$1/$name"; fi; done
mount --bind /usr "$1/usr"
mount -o remount,bind,ro "$1/usr"
mount --bind "$2" "$1/tree"
mount -o remount,bind,nodev,nosuid,noexec "$1/tree"
mount -o remount,ro,mode=0755,size=1m none "$1"
world=$1
shift 2
exec chroot "$world" "$@"
`;

export type ExtractOptions = {
  readonly file: string;
  readonly root: string;
  /** an empty directory to build on */
  readonly scratch: string;
  /** members left out, as tar patterns */
  readonly exclude?: readonly string[] | undefined;
  readonly signal: AbortSignal;
};

/** Unpacks an archive into the tree with owners, modes and capabilities. Nothing outside the tree can be touched. */
export async function extractArchive({
  file,
  root,
  scratch,
  exclude = [],
  signal,
}: ExtractOptions): Promise<void> {
  await using handle = await openArchive(file);
  const patterns = exclude.map((pattern) => `--exclude=${pattern}`);
  const attributes = ['security.capability', 'user.*'].map((pattern) => `--xattrs-include=${pattern}`);
  const tar = ['tar', '--extract', '--file=-', '--directory=/tree', ...(await compressionFlags(file))];
  const keep = ['--numeric-owner', '--same-owner', '--preserve-permissions', '--xattrs', ...attributes];
  await confined(
    [...tar, ...keep, ...patterns, '--warning=no-timestamp'],
    { root, scratch, signal },
    handle.fd,
  );
}

/** Names of all members, as written in the archive; unusual characters are escaped as tar does. */
export async function listArchive(
  file: string,
  onName: (name: string) => void,
  signal: AbortSignal,
): Promise<void> {
  await using handle = await openArchive(file);
  const tar = ['tar', '--list', '--file=-', '--quoting-style=escape', '--absolute-names'] as const;
  try {
    const input = { fd: handle.fd };
    await runTool([...tar, ...(await compressionFlags(file))], { input, signal, onLine: onName });
  } catch (error) {
    throw explain(error);
  }
}

/** Removes paths of the tree, whatever links are on the way. */
export async function removeInTree(
  paths: readonly string[],
  tree: { readonly root: string; readonly scratch: string; readonly signal: AbortSignal },
): Promise<void> {
  const batchSize = 256;
  for (let start = 0; start < paths.length; start += batchSize) {
    const batch = paths.slice(start, start + batchSize).map((path) => `/tree/${path}`);
    await confined(['rm', '--recursive', '--force', '--', ...batch], tree);
  }
}

/** Empties directories of the tree. */
export async function emptyInTree(
  directories: readonly string[],
  tree: { readonly root: string; readonly scratch: string; readonly signal: AbortSignal },
): Promise<void> {
  for (const directory of directories) {
    const empty = 'if [ -d "$1" ] && [ ! -L "$1" ]; then find "$1" -mindepth 1 -delete; fi';
    await confined(['/bin/sh', '-c', empty, 'sh', `/tree/${directory}`], tree);
  }
}

async function confined(
  argv: readonly string[],
  {
    root,
    scratch,
    signal,
  }: { readonly root: string; readonly scratch: string; readonly signal: AbortSignal },
  inputFd?: number,
): Promise<void> {
  const input = inputFd === undefined ? undefined : { fd: inputFd };
  const env = { PATH: '/usr/sbin:/usr/bin', LC_ALL: 'C' };
  try {
    await runContained(['/bin/sh', '-c', confine, 'sh', scratch, root, ...argv], { input, env, signal });
  } catch (error) {
    throw explain(error);
  }
}

async function compressionFlags(file: string): Promise<readonly string[]> {
  await using handle = await openArchive(file);
  const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(8), position: 0 });
  const start = buffer.subarray(0, bytesRead);
  return compressions.filter(({ magic }) => start.indexOf(magic) === 0).map(({ flag }) => flag);
}

async function openArchive(file: string) {
  return open(file, constants.O_RDONLY).catch((cause: unknown) => {
    throw new SpriteError('invalid_request', `${file} cannot be read; check the path`, { cause });
  });
}

function explain(error: unknown): unknown {
  if (!(error instanceof ToolError)) return error;
  const said = error.tail
    .split('\n')
    .filter((line) => line !== '')
    .slice(0, 3)
    .join('; ');
  return new SpriteError('invalid_request', `the archive cannot be unpacked: ${said.slice(0, 400)}`, {
    cause: error,
  });
}
