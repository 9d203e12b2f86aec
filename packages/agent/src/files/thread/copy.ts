import { closeSync, constants, mkdirSync, realpathSync, type Stats, statSync, symlinkSync } from 'node:fs';
import { type CopyRequest, FileError } from '@sprites/contract/files';
import { attempt, failedWith } from './attempt.ts';
import { type BytePath, join, toBytes, toKernel, toText } from './byte-path.ts';
import { type OperationContext, Pace } from './context.ts';
import { copyBytes } from './copy-bytes.ts';
import { Directory, type NameReader } from './directory.ts';
import { readTarget } from './entry.ts';
import { commitWrite, discardWrite } from './finish-write.ts';
import { createFile, type FileAttributes, setAttributes } from './new-file.ts';
import { openRegularFile } from './open-checked.ts';
import { openWrite } from './open-write.ts';
import { Tally } from './tally.ts';

type Copied = { readonly source: string; readonly dest: string };

/** The answer to a copy. */
export type CopyAnswer = {
  readonly source: string;
  readonly dest: string;
  readonly copied: readonly Copied[];
  readonly count: number;
  readonly totalBytes: number;
};

/** Copies a file, or a directory with what is in it, to a new name. Devices, FIFOs and sockets are left out. */
export async function copy(request: CopyRequest, context: OperationContext): Promise<CopyAnswer> {
  const source = toBytes(request.source);
  const stats = context.act(request.asRoot, () => attempt(source, () => statSync(toKernel(source))));
  const copying = new Copying(request, context);
  if (!stats.isDirectory()) await copying.copyFile(source);
  else if (request.recursive) await copying.copyTree(source, toBytes(request.dest));
  else throw new FileError('EISDIR', request.source, 'is a directory; copy it with recursive', 'copy');
  const { tally, totalBytes } = copying;
  const { source: from, dest } = request;
  return { source: from, dest, copied: tally.first, count: tally.count, totalBytes };
}

/** Two directories under way, one copied to the other. */
type Level = {
  readonly from: Directory;
  readonly to: Directory;
  readonly reader: NameReader;
  readonly stats: Stats;
};

class Copying {
  readonly tally = new Tally<Copied>();
  totalBytes = 0;
  readonly #request: CopyRequest;
  readonly #context: OperationContext;
  readonly #pace: Pace;
  readonly #levels: Level[] = [];

  constructor(request: CopyRequest, context: OperationContext) {
    this.#request = request;
    this.#context = context;
    this.#pace = new Pace(context);
  }

  /** Copies one file; the new one appears when it is complete. */
  async copyFile(source: BytePath): Promise<void> {
    const { asRoot, dest } = this.#request;
    const file = this.#act(() => openRegularFile(toKernel(source), source, constants.O_RDONLY));
    try {
      const { mode, modTime } = this.#attributesOf(file.stats);
      const write = { path: dest, asRoot, mode, modTime, offset: undefined };
      const ticket = await openWrite(write, this.#context);
      try {
        this.totalBytes += await copyBytes(file.fd, ticket.fd, this.#pace);
      } catch (error) {
        await discardWrite(ticket, this.#context);
        throw error;
      }
      await commitWrite(ticket, this.#context);
    } finally {
      closeSync(file.fd);
    }
    this.tally.add({ source: this.#request.source, dest });
  }

  async copyTree(source: BytePath, dest: BytePath): Promise<void> {
    try {
      this.#act(() => this.#enterTop(source, dest));
      for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
        await this.#copyNext(level);
        await this.#pace.rest();
      }
    } finally {
      for (const level of this.#levels) close(level);
    }
  }

  #enterTop(source: BytePath, dest: BytePath): void {
    attempt(dest, () => mkdirSync(toKernel(dest), { recursive: true, mode: 0o755 }));
    const [from, to] = [source, dest].map((path) => `${realpathSync.native(toKernel(path), 'latin1')}/`);
    if (from === undefined || to === undefined || to.startsWith(from)) {
      throw new FileError('EINVAL', this.#request.dest, 'a directory cannot be copied into itself', 'copy');
    }
    const top = Directory.open(source);
    this.#enter(top, () => Directory.open(dest));
  }

  #enter(from: Directory, openTo: () => Directory): void {
    let to: Directory | undefined;
    try {
      to = openTo();
      this.#levels.push({ from, to, reader: from.readNames(), stats: from.describeSelf() });
    } catch (error) {
      to?.close();
      from.close();
      throw error;
    }
    this.tally.add({ source: toText(from.path), dest: toText(to.path) });
  }

  async #copyNext(level: Level): Promise<void> {
    const { from, to, reader } = level;
    const [name] = reader.take(1);
    if (name === undefined) {
      this.#levels.pop();
      try {
        this.#act(() => setAttributes(to.fd, this.#attributesOf(level.stats)));
      } finally {
        close(level);
      }
      return;
    }
    const stats = this.#act(() => from.describe(name));
    if (stats?.isDirectory() === true) this.#act(() => this.#enterChild(level, name));
    else if (stats?.isSymbolicLink() === true) this.#act(() => this.#copyLink(level, name));
    else if (stats?.isFile() === true) await this.#copyEntry(level, name);
  }

  #enterChild({ from, to }: Level, name: BytePath): void {
    const path = join(to.path, name);
    try {
      attempt(path, () => mkdirSync(to.at(name), 0o700));
    } catch (error) {
      // A directory that is there already gets the entries beside its own.
      if (!failedWith(error, 'EEXIST')) throw error;
    }
    this.#enter(from.openChild(name), () => to.openChild(name));
  }

  #copyLink({ from, to }: Level, name: BytePath): void {
    const target = readTarget(from.at(name));
    if (target === undefined) return;
    to.removeName(name);
    attempt(join(to.path, name), () => symlinkSync(toKernel(target), to.at(name)));
    this.#count(from, to, name);
  }

  async #copyEntry({ from, to }: Level, name: BytePath): Promise<void> {
    const path = join(from.path, name);
    const source = this.#act(() =>
      openRegularFile(from.at(name), path, constants.O_RDONLY | constants.O_NOFOLLOW),
    );
    try {
      const target = this.#act(() => createFile(to, name));
      try {
        this.totalBytes += await copyBytes(source.fd, target, this.#pace);
        this.#act(() => setAttributes(target, this.#attributesOf(source.stats)));
      } finally {
        closeSync(target);
      }
    } finally {
      closeSync(source.fd);
    }
    this.#count(from, to, name);
  }

  /** What the copy takes over from the original: the mode always, the rest when asked for. */
  #attributesOf(stats: Stats): FileAttributes {
    const mode = stats.mode & 0o777;
    if (!this.#request.preserveAttrs) return { mode, modTime: undefined, owner: undefined };
    const owner = this.#request.asRoot ? stats : undefined;
    return { mode: stats.mode & 0o7777, modTime: stats.mtimeMs / 1000, owner };
  }

  #count(from: Directory, to: Directory, name: BytePath): void {
    this.tally.add({ source: toText(join(from.path, name)), dest: toText(join(to.path, name)) });
  }

  #act<T>(action: () => T): T {
    return this.#context.act(this.#request.asRoot, action);
  }
}

function close({ from, to, reader }: Level): void {
  reader.close();
  from.close();
  to.close();
}
