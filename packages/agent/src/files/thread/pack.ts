import { closeSync, constants, readSync, type Stats } from 'node:fs';
import {
  type ArchiveRequest,
  FileError,
  formatTarEnd,
  formatTarHeader,
  nameOf,
  parentOf,
  tarPadding,
} from '@sprites/contract/files';
import { type BytePath, join, toBytes, toKernel, toText } from './byte-path.ts';
import { type OperationContext, Pace } from './context.ts';
import { Directory, type NameReader } from './directory.ts';
import { readTarget } from './entry.ts';
import { openRegularFile } from './open-checked.ts';

const chunkBytes = 256 * 1024;

/** A directory being packed; `path` is the one its entries have in the archive. */
type Level = { readonly directory: Directory; readonly reader: NameReader; readonly path: BytePath };

/** What goes into the archive next. */
type Found = {
  readonly directory: Directory;
  readonly name: BytePath;
  readonly path: BytePath;
  readonly stats: Stats;
};

/** Makes a tar archive of a directory, or of one file. Devices, FIFOs and sockets are left out. */
export async function* pack(request: ArchiveRequest, context: OperationContext): AsyncGenerator<Uint8Array> {
  const { createHash } = await import('node:crypto');
  const hash = createHash('sha256');
  const packing = new Packing(request, context);
  for await (const chunk of packing.run()) {
    hash.update(chunk);
    yield chunk;
  }
  yield formatTarEnd(`sha256:${hash.digest('hex')}`);
}

class Packing {
  readonly #request: ArchiveRequest;
  readonly #context: OperationContext;
  readonly #pace: Pace;
  readonly #levels: Level[] = [];
  #chunk = Buffer.allocUnsafe(chunkBytes);
  #filled = 0;

  constructor(request: ArchiveRequest, context: OperationContext) {
    this.#request = request;
    this.#context = context;
    this.#pace = new Pace(context);
  }

  async *run(): AsyncGenerator<Uint8Array> {
    const path = toBytes(this.#request.path);
    const top = path === '/' ? undefined : this.#act(() => Directory.open(parentOf(path)));
    try {
      const stats = top === undefined ? undefined : this.#act(() => top.describe(nameOf(path)));
      if (top !== undefined && stats === undefined)
        throw new FileError('ENOENT', this.#request.path, undefined, 'open');
      if (top === undefined || stats?.isFile() !== true) {
        this.#act(() => this.#enter(Directory.open(path), ''));
        this.#put(formatTarHeader(toHeader(toBytes('.'), this.#topStats(), undefined)));
      } else {
        yield* this.#packOne({ directory: top, name: nameOf(path), path: nameOf(path), stats });
      }
      yield* this.#packLevels();
      if (this.#filled > 0) yield this.#take();
    } finally {
      top?.close();
      for (const level of this.#levels) close(level);
    }
  }

  async *#packLevels(): AsyncGenerator<Uint8Array> {
    for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
      const found = this.#act(() => this.#findNext(level));
      if (found === undefined) {
        this.#levels.pop();
        close(level);
      } else yield* this.#packOne(found);
      await this.#pace.rest();
    }
  }

  #findNext({ directory, reader, path }: Level): Found | undefined {
    for (;;) {
      const [name] = reader.take(1);
      if (name === undefined) return undefined;
      const stats = directory.describe(name);
      if (stats !== undefined && this.#isWanted(stats)) {
        return { directory, name, stats, path: path === '' ? name : join(path, name) };
      }
    }
  }

  #isWanted(stats: Stats): boolean {
    const { smallerThan } = this.#request;
    if (stats.isFile()) return smallerThan === undefined || stats.size < smallerThan;
    return stats.isDirectory() || stats.isSymbolicLink();
  }

  async *#packOne(found: Found): AsyncGenerator<Uint8Array> {
    const { directory, name, path, stats } = found;
    if (stats.isFile()) {
      yield* this.#packFile(found);
      return;
    }
    const target = stats.isSymbolicLink() ? readTarget(directory.at(name)) : undefined;
    if (stats.isSymbolicLink() && target === undefined) return;
    yield* this.#add(formatTarHeader(toHeader(path, stats, target)));
    if (stats.isDirectory()) this.#act(() => this.#enter(directory.openChild(name), path));
  }

  async *#packFile({ directory, name, path }: Found): AsyncGenerator<Uint8Array> {
    const shown = join(directory.path, name);
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
    const file = this.#act(() => openRegularFile(directory.at(name), shown, flags));
    try {
      const { size } = file.stats;
      yield* this.#add(formatTarHeader(toHeader(path, file.stats, undefined)));
      for (let at = 0; at < size; ) {
        if (this.#filled === chunkBytes) yield this.#take();
        const room = Math.min(chunkBytes - this.#filled, size - at);
        const count = readSync(file.fd, this.#chunk, this.#filled, room, at);
        // The header has promised them already.
        if (count === 0)
          throw new FileError('EIO', toText(shown), 'the file became shorter while it was read');
        this.#filled += count;
        at += count;
        await this.#pace.rest();
      }
      yield* this.#add(tarPadding(size));
    } finally {
      closeSync(file.fd);
    }
  }

  *#add(bytes: Uint8Array): Generator<Uint8Array> {
    if (this.#filled + bytes.length > chunkBytes) yield this.#take();
    this.#put(bytes);
  }

  #put(bytes: Uint8Array): void {
    this.#chunk.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  #take(): Uint8Array {
    const full = this.#chunk.subarray(0, this.#filled);
    this.#chunk = Buffer.allocUnsafe(chunkBytes);
    this.#filled = 0;
    return full;
  }

  #enter(directory: Directory, path: BytePath): void {
    try {
      this.#levels.push({ directory, reader: directory.readNames(), path });
    } catch (error) {
      directory.close();
      throw error;
    }
  }

  #topStats(): Stats {
    const top = this.#levels[0];
    if (top === undefined) throw new Error('no directory is open');
    return top.directory.describeSelf();
  }

  #act<T>(action: () => T): T {
    return this.#context.act(this.#request.asRoot, action);
  }
}

function toHeader(
  path: BytePath,
  stats: Stats,
  target: BytePath | undefined,
): Parameters<typeof formatTarHeader>[0] {
  return {
    type: stats.isDirectory() ? 'directory' : target === undefined ? 'file' : 'symlink',
    path: toKernel(path),
    mode: stats.mode & 0o7777,
    size: stats.isFile() ? stats.size : 0,
    modTime: Math.floor(stats.mtimeMs / 1000),
    ...(target === undefined ? {} : { target: toKernel(target) }),
  };
}

function close({ directory, reader }: Level): void {
  reader.close();
  directory.close();
}
