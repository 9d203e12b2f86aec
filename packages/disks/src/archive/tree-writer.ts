import { constants } from 'node:fs';
import { chmod, type FileHandle, lchown, link, mkdir, open, rmdir, symlink, unlink } from 'node:fs/promises';
import { type ExportChunk, type ExportEntry, mostPathBytes, refuse } from '@sprites/contract/export';
import { hasCode, makeNode, punchFile, setModifiedTime } from '@sprites/linux';
import { isCarried, writeXattrs } from './attributes.ts';
import { decodeBytes, printableBytes } from './bytes-text.ts';
import { type Found, type Kind, listNames, look } from './look.ts';
import { enter, leave, type Place, pathIn } from './place.ts';

type Entry<Op extends ExportEntry['op']> = Extract<ExportEntry, { readonly op: Op }>;
type Meta = Pick<Entry<'directory'>, 'mode' | 'uid' | 'gid' | 'mtime' | 'xattrs'>;

const mostNameBytes = 255;
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;

/**
 * Does the steps of a listing to the files below a directory that nobody else can reach. Steps come from anywhere: a
 * path leads through directories only, nothing that is there is replaced, and what does not fit is refused.
 */
export class TreeWriter {
  /** from the top down to where the last step was done */
  readonly #stack: { readonly name: Buffer; readonly place: Place }[] = [];
  readonly #root: Place;
  #open: { readonly entry: Entry<'file'>; readonly path: Buffer; readonly handle: FileHandle } | undefined;

  constructor(root: Buffer) {
    this.#root = { path: root };
  }

  /** Does one step. A file is finished by the next step: until then `write` puts its chunks in. */
  async apply(entry: ExportEntry): Promise<void> {
    if (entry.op === 'more') {
      if (this.#open === undefined) throw refuse('content of no file');
      return;
    }
    await this.finishFile();
    const path = decodeBytes(entry.path);
    try {
      await this.#apply(entry, path);
    } catch (error) {
      throw explain(error, path);
    }
  }

  /** Puts a chunk into the file of the last step. */
  async write(chunk: ExportChunk, bytes: Uint8Array | undefined): Promise<void> {
    const open = this.#open;
    if (open === undefined) throw refuse('content of no file');
    if (chunk.at + chunk.length > open.entry.size) throw refuse('content behind the end of a file');
    if (bytes === undefined) await punchFile(open.handle.fd, chunk.at, chunk.length);
    else await writeAll(open.handle, bytes, chunk.at);
  }

  /** Finishes the file of the last step: owner, mode and times come after the content. */
  async finishFile(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    const { handle, entry, path } = open;
    try {
      await handle.chown(entry.uid, entry.gid);
      await handle.chmod(entry.mode);
      await setAttributes(path, entry);
    } finally {
      await handle.close();
    }
    await setModifiedTime(path, BigInt(entry.mtime));
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.handle.close();
    while (this.#stack.length > 0) await this.#pop();
  }

  async #apply(entry: Exclude<ExportEntry, Entry<'more'>>, path: Buffer): Promise<void> {
    if (path.length === 0) return this.#applyToTop(entry);
    const { parent, name } = await this.#resolve(path);
    const found = await look(parent, name);
    const target = pathIn(parent, name);
    switch (entry.op) {
      case 'remove':
        if (found === undefined) throw refuse(`nothing to remove at ${printableBytes(path)}`);
        return this.#remove(parent, name, found);
      case 'directory':
        await expectState(found, entry.isNew, 'directory', path);
        if (entry.isNew) await mkdir(target, 0o700);
        return setMeta(target, entry);
      case 'file':
        await expectState(found, entry.isNew, 'file', path);
        return this.#openFile(target, entry);
      case 'link':
        await expectState(found, true, 'file', path);
        return this.#link(entry, target);
      case 'symlink':
        await expectState(found, true, 'symlink', path);
        await symlink(linkTarget(entry), target);
        return setLinkMeta(target, entry);
      case 'node':
        await expectState(found, true, entry.kind, path);
        await makeNode(target, entry.kind);
        return setMeta(target, entry);
      case 'seal':
        await expectState(found, false, 'directory', path);
        return setModifiedTime(target, BigInt(entry.mtime));
      default:
        entry satisfies never;
    }
  }

  async #applyToTop(entry: Exclude<ExportEntry, Entry<'more'>>): Promise<void> {
    const { path } = this.#root;
    if (entry.op === 'directory' && !entry.isNew) return setMeta(path, entry);
    if (entry.op === 'seal') return setModifiedTime(path, BigInt(entry.mtime));
    throw refuse(`${entry.op} of the top directory`);
  }

  async #openFile(path: Buffer, entry: Entry<'file'>): Promise<void> {
    const flags = O_WRONLY | O_NOFOLLOW | O_NONBLOCK | (entry.isNew ? O_CREAT | O_EXCL : 0);
    const handle = await open(path, flags, 0o600);
    this.#open = { entry, path, handle };
    await handle.truncate(entry.size);
  }

  async #link(entry: Entry<'link'>, target: Buffer): Promise<void> {
    const to = decodeBytes(entry.to);
    const names = splitPath(to);
    const name = names.pop();
    if (name === undefined) throw refuse('a link to the top directory');
    let place = this.#root;
    const entered: Place[] = [];
    try {
      for (const step of names) {
        await expectState(await look(place, step), false, 'directory', to);
        place = await enter(place, step);
        entered.push(place);
      }
      const found = await look(place, name);
      if (found === undefined || found.kind === 'directory')
        throw refuse(`nothing at ${printableBytes(to)} to link to`);
      await link(pathIn(place, name), target);
    } finally {
      for (const each of entered) await leave(each);
    }
  }

  /** Goes to the directory a path is in; the way from the step before is kept. */
  async #resolve(path: Buffer): Promise<{ readonly parent: Place; readonly name: Buffer }> {
    const names = splitPath(path);
    const name = names.pop();
    if (name === undefined) throw refuse('a path without a name');
    let depth = 0;
    while (depth < names.length && this.#stack[depth]?.name.equals(names[depth] ?? Buffer.alloc(0)) === true)
      depth++;
    while (this.#stack.length > depth) await this.#pop();
    for (const step of names.slice(depth)) {
      const place = this.#stack.at(-1)?.place ?? this.#root;
      await expectState(await look(place, step), false, 'directory', path);
      this.#stack.push({ name: step, place: await enter(place, step) });
    }
    return { parent: this.#stack.at(-1)?.place ?? this.#root, name };
  }

  /** Removes what is there, however deep. The listing that made it bounded how much that can be. */
  async #remove(parent: Place, name: Buffer, found: Found): Promise<void> {
    if (found.kind !== 'directory') return unlink(found.path);
    const pending = [{ parent, name, place: await enter(parent, name) }];
    try {
      for (let last = pending.at(-1); last !== undefined; last = pending.at(-1)) {
        const below = await removeFiles(last.place);
        if (below !== undefined) {
          pending.push({ parent: last.place, name: below, place: await enter(last.place, below) });
          continue;
        }
        pending.pop();
        await leave(last.place);
        await rmdir(pathIn(last.parent, last.name));
      }
    } finally {
      for (const { place } of pending) await leave(place);
    }
  }

  async #pop(): Promise<void> {
    const last = this.#stack.pop();
    if (last !== undefined) await leave(last.place);
  }
}

/** Removes everything but directories; answers the name of one of these, if there is any. */
async function removeFiles(place: Place): Promise<Buffer | undefined> {
  for (const name of await listNames(place)) {
    const found = await look(place, name);
    if (found?.kind === 'directory') return name;
    if (found !== undefined) await unlink(found.path);
  }
  return undefined;
}

async function expectState(
  found: Found | undefined,
  isNew: boolean,
  kind: Kind,
  path: Buffer,
): Promise<void> {
  if (isNew) {
    if (found !== undefined) throw refuse(`${printableBytes(path)} comes twice`);
  } else if (found?.kind !== kind) {
    throw refuse(`${printableBytes(path)} leads to something that is not a ${kind}`);
  }
}

/** What a path is made of; nothing that would lead elsewhere. */
function splitPath(path: Buffer): Buffer[] {
  if (path.length > mostPathBytes || path.includes(0)) throw refuse('a path that no file can have');
  return path
    .toString('latin1')
    .split('/')
    .map((name) => {
      if (name === '' || name === '.' || name === '..' || name.length > mostNameBytes) {
        throw refuse(
          `path ${JSON.stringify(printableBytes(path).slice(0, 200))} is not one from the top directory down`,
        );
      }
      return Buffer.from(name, 'latin1');
    });
}

function linkTarget(entry: Entry<'symlink'>): Buffer {
  const target = decodeBytes(entry.target);
  if (target.length === 0 || target.includes(0)) throw refuse('a symbolic link to nothing');
  return target;
}

async function setMeta(path: Buffer, meta: Meta): Promise<void> {
  await lchown(path, meta.uid, meta.gid);
  // nothing but a link has no mode; the caller knows that this is none
  await chmod(path, meta.mode);
  await setAttributes(path, meta);
  await setModifiedTime(path, BigInt(meta.mtime));
}

async function setLinkMeta(path: Buffer, meta: Meta): Promise<void> {
  await lchown(path, meta.uid, meta.gid);
  await setAttributes(path, meta);
  await setModifiedTime(path, BigInt(meta.mtime));
}

async function setAttributes(path: Buffer, { xattrs }: Meta): Promise<void> {
  const wanted = xattrs.map(([name, value]) => ({ name, value: Buffer.from(value, 'base64') }));
  const foreign = wanted.find((xattr) => !isCarried(xattr));
  if (foreign !== undefined)
    throw refuse(`attribute ${JSON.stringify(foreign.name)} does not belong to a sprite`);
  await writeXattrs(path, wanted);
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}

/** What the kernel says of a step that cannot be done is about the step, unless it is about the disk. */
function explain(error: unknown, path: Buffer): unknown {
  const codes = [
    'EEXIST',
    'ENOTDIR',
    'ELOOP',
    'EISDIR',
    'EINVAL',
    'ENAMETOOLONG',
    'EFBIG',
    'EPERM',
    'EMLINK',
    'E2BIG',
  ];
  const foreign = [...codes, 'ENOTSUP', 'ERANGE', 'ENOENT', 'EOVERFLOW'];
  if (!hasCode(error, ...foreign)) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return refuse(`${printableBytes(path).slice(0, 200)} cannot be made (${code})`, error);
}
