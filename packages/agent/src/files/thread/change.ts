import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  lchownSync,
  openSync,
  type Stats,
  statSync,
} from 'node:fs';
import { type ChmodRequest, type ChownRequest, FileError, formatMode } from '@sprites/contract/files';
import { findGroup, findUser } from '../../kernel/user.ts';
import { attempt } from './attempt.ts';
import { join, toBytes, toKernel, toText } from './byte-path.ts';
import type { OperationContext } from './context.ts';
import { Directory } from './directory.ts';
import { Tally } from './tally.ts';
import { type Visit, walkTree } from './walk.ts';

/** a descriptor that names a file without opening it, so that devices and FIFOs do nothing */
const nameOnly = 0o10000000 | constants.O_NOFOLLOW;
/** what the kernel takes for "leave it" */
const unchanged = -1;

/** The answer to a change of mode or owner. */
export type Changed<T> = { readonly affected: readonly T[]; readonly count: number };
export type ModeChange = { readonly path: string; readonly mode: string };
export type OwnerChange = { readonly path: string; readonly uid: number; readonly gid: number };

/** Changes permission bits, of a whole tree when `recursive`; symlinks in it have none of their own and stay. */
export async function chmod(request: ChmodRequest, context: OperationContext): Promise<Changed<ModeChange>> {
  const tally = new Tally<ModeChange>();
  const mode = formatMode(request.mode);
  await changeTree(request, context, {
    entry: (directory, name, stats) => {
      if (stats.isSymbolicLink()) return;
      const path = join(directory.path, name);
      if (attempt(path, () => changeMode(directory.at(name), request.mode)))
        tally.add({ path: toText(path), mode });
    },
    top: (path) => {
      chmodSync(path, request.mode);
      tally.add({ path: request.path, mode });
    },
  });
  return { affected: tally.first, count: tally.count };
}

/** Changes owner and group, of a whole tree when `recursive`; of symlinks in it those of the link itself. */
export async function chown(request: ChownRequest, context: OperationContext): Promise<Changed<OwnerChange>> {
  const tally = new Tally<OwnerChange>();
  const [uid, gid] = [toUserId(request.uid), toGroupId(request.gid)];
  const add = (path: string, stats: Stats): void =>
    tally.add({ path, uid: uid === unchanged ? stats.uid : uid, gid: gid === unchanged ? stats.gid : gid });
  await changeTree(request, context, {
    entry: (directory, name, stats) => {
      const path = join(directory.path, name);
      attempt(path, () => lchownSync(directory.at(name), uid, gid));
      add(toText(path), stats);
    },
    top: (path) => {
      chownSync(path, uid, gid);
      add(request.path, statSync(path));
    },
  });
  return { affected: tally.first, count: tally.count };
}

type Change = { readonly entry: Visit; readonly top: (path: Buffer) => void };

async function changeTree(
  { path: text, asRoot, recursive }: Pick<ChmodRequest, 'path' | 'asRoot' | 'recursive'>,
  context: OperationContext,
  { entry, top }: Change,
): Promise<void> {
  const path = toBytes(text);
  const file = toKernel(path);
  const isTree = recursive && context.act(asRoot, () => attempt(path, () => statSync(file).isDirectory()));
  if (isTree) {
    const directory = context.act(asRoot, () => Directory.open(path));
    await walkTree(directory, { asRoot, visit: entry }, context);
  }
  context.act(asRoot, () => attempt(path, () => top(file)));
}

/** Changes the mode of what has this name, unless a symlink has taken its place; then it is left alone. */
function changeMode(file: Buffer, mode: number): boolean {
  const fd = openSync(file, nameOnly);
  try {
    const link = `/proc/self/fd/${fd}`;
    if (fstatSync(fd).isSymbolicLink()) return false;
    chmodSync(link, mode);
    return true;
  } finally {
    closeSync(fd);
  }
}

function toUserId(owner: number | string | undefined): number {
  if (typeof owner !== 'string') return owner ?? unchanged;
  const user = findUser(owner);
  if (user === undefined) throw new FileError('EINVAL', '', `no user ${owner.slice(0, 80)} in the sprite`);
  return user.uid;
}

function toGroupId(owner: number | string | undefined): number {
  if (typeof owner !== 'string') return owner ?? unchanged;
  const gid = findGroup(owner);
  if (gid === undefined) throw new FileError('EINVAL', '', `no group ${owner.slice(0, 80)} in the sprite`);
  return gid;
}
