import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readlinkSync,
  realpathSync,
  type Stats,
} from 'node:fs';
import { FileError, nameOf, parentOf, type WriteRequest } from '@sprites/contract/files';
import { attempt, failedWith, toFileError } from './attempt.ts';
import { type BytePath, join, toBytes, toKernel, toText } from './byte-path.ts';
import type { OperationContext } from './context.ts';
import { Directory } from './directory.ts';
import { checkRegular, openRegularFile } from './open-checked.ts';
import { pickTemporaryName, removeName } from './temporary-name.ts';

const { O_WRONLY, O_RDWR, O_EXCL, O_CREAT, O_NOFOLLOW, O_DIRECTORY } = constants;
/** a file without a name, which is gone with its last descriptor */
const unnamed = 0o20000000 | O_DIRECTORY | O_RDWR;
const newFileMode = 0o644;
const newDirectoryMode = 0o755;
const mostLinks = 40;
const spoolDirectory = '/tmp';

/**
 * A write under way. The bytes go to `fd`; then `commitWrite` or `discardWrite` is given this ticket, once, and closes
 * what is open.
 */
export type WriteTicket = {
  readonly fd: number;
  readonly asRoot: boolean;
  readonly path: string;
  readonly mode: number | undefined;
  readonly modTime: number | undefined;
  /** the directory of the file, open, and the file's name in it */
  readonly directoryFd: number;
  readonly name: BytePath;
  readonly way: WriteWay;
};

/**
 * How the bytes get under their name: as a new file put in place at the end; copied into the old file, where that must
 * stay the same one; or written to it as they come.
 */
export type WriteWay =
  | { readonly type: 'replace'; readonly temporary: BytePath | undefined }
  | { readonly type: 'refill'; readonly targetFd: number }
  | { readonly type: 'direct' };

/** Prepares a write: missing directories are made, and everything that can be refused is refused before the bytes come. */
export async function openWrite(request: WriteRequest, { act }: OperationContext): Promise<WriteTicket> {
  return act(request.asRoot, () => {
    const target = findTarget(toBytes(request.path));
    const directory = openParent(target);
    try {
      const name = nameOf(target);
      const file =
        request.offset === undefined ? openNew(directory, name) : openAt(directory, name, request.offset);
      const { path, asRoot, modTime } = request;
      const mode = request.mode ?? (file.existing === undefined ? newFileMode : file.existing.mode & 0o7777);
      const isKept = request.mode === undefined && file.way.type !== 'replace';
      return {
        ...file,
        path,
        asRoot,
        modTime,
        mode: isKept ? undefined : mode,
        directoryFd: directory.fd,
        name,
      };
    } catch (error) {
      directory.close();
      throw error;
    }
  });
}

/** Follows symlinks to the file to write, which need not exist. */
function findTarget(path: BytePath): BytePath {
  let target = path;
  for (let links = 0; links < mostLinks; links++) {
    try {
      return realpathSync.native(toKernel(target), 'latin1');
    } catch (error) {
      if (!failedWith(error, 'ENOENT')) throw toFileError(error, target);
    }
    const next = readDanglingLink(target);
    if (next === undefined) return target;
    target = next.startsWith('/') ? next : join(parentOf(target), next);
  }
  throw new FileError('ELOOP', toText(path));
}

function readDanglingLink(path: BytePath): BytePath | undefined {
  try {
    return readlinkSync(toKernel(path), 'latin1');
  } catch {
    // Nothing is there, or no symlink: this is the file to make.
    return undefined;
  }
}

function openParent(target: BytePath): Directory {
  if (target === '/') throw new FileError('EISDIR', '/', undefined, 'open');
  const parent = parentOf(target);
  attempt(parent, () => mkdirSync(toKernel(parent), { recursive: true, mode: newDirectoryMode }));
  return Directory.open(parent);
}

type NewFile = { readonly fd: number; readonly way: WriteWay; readonly existing: Stats | undefined };

function openNew(directory: Directory, name: BytePath): NewFile {
  const path = join(directory.path, name);
  const existing = directory.describe(name);
  if (existing === undefined) {
    return { ...openTemporary(directory, name), existing };
  }
  checkRegular(path, existing);
  // Whoever may not write to the file may not replace it either, though the directory might allow that.
  const target = openRegularFile(directory.at(name), path, O_WRONLY);
  try {
    // A file with several names, or that something is mounted on, has to stay the same file.
    const isAlone = existing.nlink === 1 && existing.dev === directory.describeSelf().dev;
    const replacement = isAlone ? tryReplacement(directory, name, existing) : undefined;
    if (replacement !== undefined) {
      closeSync(target.fd);
      return { ...replacement, existing };
    }
    return { fd: openSpool(path), way: { type: 'refill', targetFd: target.fd }, existing };
  } catch (error) {
    closeSync(target.fd);
    throw error;
  }
}

/** A new file with the owner of the old one; undefined where the old one has to be kept. */
function tryReplacement(
  directory: Directory,
  name: BytePath,
  { uid, gid }: Stats,
): Pick<NewFile, 'fd' | 'way'> | undefined {
  try {
    const file = openTemporary(directory, name);
    const own = fstatSync(file.fd);
    if (own.uid === uid && own.gid === gid) return file;
    try {
      fchownSync(file.fd, uid, gid);
      return file;
    } catch {
      // Only root can give files away; the old file keeps its owner by being kept.
      closeSync(file.fd);
      removeTemporary(directory, file.way);
      return undefined;
    }
  } catch (error) {
    if (failedWith(error, 'EACCES', 'EPERM', 'EROFS')) return undefined;
    throw error;
  }
}

function openTemporary(directory: Directory, name: BytePath): Pick<NewFile, 'fd' | 'way'> {
  const path = join(directory.path, name);
  const fd = openUnnamed(`/proc/self/fd/${directory.fd}`, path);
  if (fd !== undefined) return { fd, way: { type: 'replace', temporary: undefined } };
  const temporary = pickTemporaryName(name);
  const flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
  return {
    fd: attempt(path, () => openSync(directory.at(temporary), flags, 0o600)),
    way: { type: 'replace', temporary },
  };
}

/** Opens a file without a name; undefined where the file system knows no such files. */
function openUnnamed(directory: string, path: BytePath): number | undefined {
  try {
    return openSync(directory, unnamed, 0o600);
  } catch (error) {
    if (failedWith(error, 'EOPNOTSUPP', 'ENOTSUP', 'EISDIR', 'EINVAL', 'ENOENT')) return undefined;
    throw toFileError(error, path);
  }
}

function removeTemporary(directory: Directory, way: WriteWay): void {
  if (way.type === 'replace' && way.temporary !== undefined) removeName(directory.at(way.temporary));
}

/** Where the bytes wait until they are all there, for a file that is refilled. */
function openSpool(path: BytePath): number {
  const fd = openUnnamed(spoolDirectory, path);
  if (fd === undefined)
    throw new FileError('EACCES', toText(path), `${spoolDirectory} cannot hold the bytes meanwhile`);
  return fd;
}

/** Opens a file to be written from `offset` on; what lies behind it is cut off. */
function openAt(directory: Directory, name: BytePath, offset: number): NewFile {
  const path = join(directory.path, name);
  const existing = directory.describe(name);
  const { fd, stats } = openRegularFile(directory.at(name), path, O_RDWR, newFileMode);
  try {
    if (stats.size < offset) throw new FileError('ERANGE', toText(path), `it has ${stats.size} bytes only`);
    attempt(path, () => ftruncateSync(fd, offset));
    return { fd, way: { type: 'direct' }, existing };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
