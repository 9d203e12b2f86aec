import { closeSync, lutimesSync, mkdirSync, renameSync, symlinkSync, writeSync } from 'node:fs';
import {
  type ArchiveRequest,
  FileError,
  splitArchivePath,
  type TarEntry,
  TarReader,
} from '@sprites/contract/files';
import { attempt, failedWith } from './attempt.ts';
import { type BytePath, join, toBytes, toKernel, toText } from './byte-path.ts';
import { type OperationContext, Pace } from './context.ts';
import { Directory } from './directory.ts';
import { createFile, setAttributes } from './new-file.ts';
import { pickTemporaryName } from './temporary-name.ts';

/** Directories whose mode and time are set at the end; those of others are as when they were made. */
const mostDirectories = 100_000;

/** The answer to an unpacking; the checksum is of the archive as it came. */
export type Unpacked = {
  readonly path: string;
  readonly count: number;
  readonly totalBytes: number;
  readonly sha256: string;
};

/** Unpacks a tar archive whose chunks are passed to `next`, an absent one at the end. All pieces but the last are empty. */
export async function* unpack(
  request: ArchiveRequest,
  context: OperationContext,
): AsyncGenerator<Unpacked | undefined, void, Uint8Array | undefined> {
  const { createHash } = await import('node:crypto');
  const hash = createHash('sha256');
  const unpacking = new Unpacking(request, context);
  try {
    for (let chunk = yield; chunk !== undefined; chunk = yield) {
      hash.update(chunk);
      await unpacking.take(chunk);
    }
    const { count, totalBytes } = unpacking.finish();
    yield { path: request.path, count, totalBytes, sha256: hash.digest('hex') };
  } finally {
    unpacking.close();
  }
}

/** A file being filled under a temporary name. */
type OpenFile = {
  readonly fd: number;
  readonly directory: Directory;
  readonly name: BytePath;
  readonly temporary: BytePath;
  readonly entry: TarEntry;
  left: number;
};

class Unpacking {
  count = 0;
  totalBytes = 0;
  readonly #request: ArchiveRequest;
  readonly #context: OperationContext;
  readonly #pace: Pace;
  readonly #reader = new TarReader();
  /** the open directories from the top to where the last entry went, with their names */
  readonly #path: { readonly name: BytePath; readonly directory: Directory }[] = [];
  readonly #directories: { readonly parts: readonly BytePath[]; readonly entry: TarEntry }[] = [];
  #file: OpenFile | undefined;

  constructor(request: ArchiveRequest, context: OperationContext) {
    this.#request = request;
    this.#context = context;
    this.#pace = new Pace(context);
    const path = toBytes(request.path);
    this.#act(() => {
      attempt(path, () => mkdirSync(toKernel(path), { recursive: true, mode: 0o755 }));
      this.#path.push({ name: '', directory: Directory.open(path) });
    });
  }

  async take(chunk: Uint8Array): Promise<void> {
    for (const piece of this.#reader.read(chunk)) {
      if (piece.type === 'entry') this.#act(() => this.#begin(piece.entry));
      else if (piece.type === 'data') this.#act(() => this.#write(piece.bytes));
      await this.#pace.rest();
    }
  }

  /** Checks that the archive was whole and gives directories their modes and times. */
  finish(): { readonly count: number; readonly totalBytes: number } {
    if (!this.#reader.isOver) throw new FileError('EINVAL', this.#request.path, 'the archive ends too early');
    this.#act(() => {
      for (const { parts, entry } of this.#directories.reverse()) {
        this.#setDirectory(parts, entry);
      }
    });
    return { count: this.count, totalBytes: this.totalBytes };
  }

  close(): void {
    if (this.#file !== undefined) {
      const { fd, directory, temporary } = this.#file;
      closeSync(fd);
      this.#act(() => directory.removeName(temporary));
    }
    for (const { directory } of this.#path) directory.close();
  }

  #begin(entry: TarEntry): void {
    const parts = splitArchivePath(entry.path);
    this.count++;
    if (entry.type === 'directory') {
      this.#enter(parts);
      if (this.#directories.length < mostDirectories) this.#directories.push({ parts, entry });
      return;
    }
    const name = parts.at(-1);
    if (name === undefined) throw new FileError('EINVAL', this.#request.path, 'an entry has no name');
    const directory = this.#enter(parts.slice(0, -1));
    if (entry.type === 'file') this.#createFile(directory, name, entry);
    else this.#createLink(directory, name, entry);
  }

  #createFile(directory: Directory, name: BytePath, entry: TarEntry): void {
    const temporary = pickTemporaryName(name);
    this.#file = {
      fd: createFile(directory, temporary),
      directory,
      name,
      temporary,
      entry,
      left: entry.size,
    };
    if (entry.size === 0) this.#endFile(this.#file);
  }

  #createLink(directory: Directory, name: BytePath, { target = new Uint8Array(0), modTime }: TarEntry): void {
    directory.removeName(name);
    attempt(join(directory.path, name), () => {
      symlinkSync(Buffer.from(target), directory.at(name));
      lutimesSync(directory.at(name), modTime, modTime);
    });
  }

  #write(bytes: Uint8Array): void {
    const file = this.#file;
    if (file === undefined)
      throw new FileError('EINVAL', this.#request.path, 'the archive has bytes without a file');
    const path = join(file.directory.path, file.name);
    for (let done = 0; done < bytes.length; ) {
      done += attempt(path, () => writeSync(file.fd, bytes, done, bytes.length - done));
    }
    file.left -= bytes.length;
    this.totalBytes += bytes.length;
    if (file.left === 0) this.#endFile(file);
  }

  #endFile({ fd, directory, name, temporary, entry }: OpenFile): void {
    attempt(join(directory.path, name), () => {
      setAttributes(fd, { mode: entry.mode, modTime: entry.modTime, owner: undefined });
      renameSync(directory.at(temporary), directory.at(name));
    });
    closeSync(fd);
    this.#file = undefined;
  }

  /** Opens the directory of these names below the top, made where it is missing. A symlink on the way is refused. */
  #enter(parts: readonly BytePath[]): Directory {
    let depth = 0;
    while (depth < parts.length && this.#path[depth + 1]?.name === parts[depth]) depth++;
    for (const { directory } of this.#path.splice(depth + 1)) directory.close();
    for (const name of parts.slice(depth)) {
      const { directory } = this.#last();
      makeDirectory(directory, name);
      this.#path.push({ name, directory: directory.openChild(name) });
    }
    return this.#last().directory;
  }

  #setDirectory(parts: readonly BytePath[], { mode, modTime }: TarEntry): void {
    const { fd, path } = this.#enter(parts);
    try {
      attempt(path, () => setAttributes(fd, { mode, modTime, owner: undefined }));
    } catch (error) {
      // What is unpacked into need not be ours.
      if (parts.length > 0 || !failedWith(error, 'EPERM')) throw error;
    }
  }

  #last(): { readonly directory: Directory } {
    const last = this.#path.at(-1);
    if (last === undefined) throw new Error(`${toText(toBytes(this.#request.path))} is not open`);
    return last;
  }

  #act<T>(action: () => T): T {
    return this.#context.act(this.#request.asRoot, action);
  }
}

function makeDirectory(directory: Directory, name: BytePath): void {
  try {
    attempt(join(directory.path, name), () => mkdirSync(directory.at(name), 0o755));
  } catch (error) {
    if (!failedWith(error, 'EEXIST')) throw error;
  }
}
