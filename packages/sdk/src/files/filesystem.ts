import { endpoints, type FileEvent } from '@sprites/contract';
import { SocketStream } from '#transport';
import { FilesystemError } from '../errors.ts';
import { endpointURL, type RequestOptions, request, requestJson } from '../http/request.ts';
import type { CallOptions } from '../options.ts';
import type { Sprite } from '../sprite.ts';
import { parseFileEvent } from './file-event.ts';
import type {
  ChecksumOptions,
  ChmodOptions,
  ChownOptions,
  CopyOptions,
  FileInfo,
  ListFilesOptions,
  MkdirOptions,
  PackOptions,
  ReadOptions,
  RmOptions,
  RootOptions,
  WatchOptions,
  WriteOptions,
} from './file-options.ts';

/** What a file can be written from. A stream of any length is passed on as it comes. */
export type FileContent = string | Uint8Array | ReadableStream<Uint8Array>;

type QueryFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** What came of unpacking an archive. */
export type Unpacked = { readonly count: number; readonly totalBytes: number; readonly sha256: string };

/**
 * The files of a sprite, which any use of them wakes. Relative paths start at the working directory. What fails with a
 * file is a FilesystemError with a code such as `ENOENT`.
 */
export class SpriteFilesystem {
  readonly sprite: Sprite;
  readonly workingDir: string | undefined;

  /** Without a working directory it is the home of the sprite's user. */
  constructor(sprite: Sprite, workingDir?: string) {
    this.sprite = sprite;
    this.workingDir = workingDir;
  }

  /** The whole of a file, or a part of it: as text with encoding `utf8`, else as bytes. */
  readFile(path: string, options: ReadOptions & { readonly encoding: 'utf8' }): Promise<string>;
  readFile(path: string, options?: ReadOptions): Promise<Uint8Array>;
  async readFile(path: string, options: ReadOptions = {}): Promise<string | Uint8Array> {
    const response = await this.openRead(path, options);
    if (options.encoding === 'utf8') return response.text();
    return new Uint8Array(await response.arrayBuffer());
  }

  /** The answer with the bytes of a file, to be read as a stream; `etag` and `content-range` are in its headers. */
  openRead(path: string, options: ReadOptions = {}): Promise<Response> {
    const { start, end, signal } = options;
    const query = this.#query({ path, start, end }, options);
    return this.#request(endpoints.readFile, { query, accept: '*/*', timeoutMs: 0, signal });
  }

  /** Writes a file, which has its new content when all of it has arrived; missing directories are made. */
  async writeFile(path: string, content: FileContent, options: WriteOptions = {}): Promise<void> {
    const { mode, modTime, offset, signal } = options;
    const fields = { path, mode: mode?.toString(8), modTime: modTime?.toISOString(), offset };
    const query = this.#query(fields, options);
    await requestJson(
      this.sprite.client,
      endpoints.writeFile,
      this.#options({ query, ...toBody(content), timeoutMs: 0, signal }),
    );
  }

  async appendFile(
    path: string,
    content: string | Uint8Array,
    options: CallOptions & RootOptions = {},
  ): Promise<void> {
    const size = (await this.exists(path, options)) ? (await this.stat(path, options)).size : 0;
    await this.writeFile(path, content, { ...options, ...(size === 0 ? {} : { offset: size }) });
  }

  async readJSON(path: string, options: CallOptions & RootOptions = {}): Promise<unknown> {
    return JSON.parse(await this.readFile(path, { ...options, encoding: 'utf8' }));
  }

  writeJSON(path: string, value: unknown, options: WriteOptions = {}): Promise<void> {
    return this.writeFile(path, `${JSON.stringify(value, undefined, 2)}\n`, options);
  }

  /** What is in a directory; of a file, the file itself. */
  list(path: string, options: ListFilesOptions = {}): Promise<FileInfo[]> {
    const { recursive, pattern } = options;
    return this.#list({ path, recursive, pattern }, options);
  }

  /** The names in a directory. */
  async readdir(path: string, options: ListFilesOptions = {}): Promise<string[]> {
    return (await this.list(path, options)).map(({ name }) => name);
  }

  /** Describes a file or directory; symlinks are followed. */
  async stat(path: string, options: CallOptions & RootOptions = {}): Promise<FileInfo> {
    const [info] = await this.#list({ path, itself: true }, options);
    if (info !== undefined) return info;
    throw new FilesystemError(`stat ${path}: no such file or directory`, { code: 'ENOENT', path });
  }

  async exists(path: string, options: CallOptions & RootOptions = {}): Promise<boolean> {
    try {
      await this.stat(path, options);
      return true;
    } catch (error) {
      if (error instanceof FilesystemError && error.code === 'ENOENT') return false;
      throw error;
    }
  }

  /** Makes a directory with those above it; one that is there already is fine. */
  async mkdir(path: string, { mode = 0o755, ...options }: MkdirOptions = {}): Promise<void> {
    const keep = `${path}/.keep`;
    await this.writeFile(keep, '', options);
    await this.rm(keep, options);
    if (mode !== 0o755) await this.chmod(path, mode, options);
  }

  /** Deletes a file or directory, with what is in it when `recursive`; with `force`, also what is not there. */
  async rm(path: string, options: RmOptions = {}): Promise<void> {
    const query = this.#query({ path, recursive: options.recursive }, options);
    try {
      await requestJson(
        this.sprite.client,
        endpoints.deleteFile,
        this.#options({ query, timeoutMs: 0, signal: options.signal }),
      );
    } catch (error) {
      const isMissing = error instanceof FilesystemError && error.code === 'ENOENT';
      if (options.force !== true || !isMissing) throw error;
    }
  }

  async rename(source: string, dest: string, options: CallOptions & RootOptions = {}): Promise<void> {
    await requestJson(this.sprite.client, endpoints.renameFile, this.#body({ source, dest }, options));
  }

  /** Copies a file, or a directory when `recursive`, to a new name in the sprite. */
  async copyFile(source: string, dest: string, options: CopyOptions = {}): Promise<void> {
    const { recursive, preserveAttrs } = options;
    const json = { source, dest, recursive, preserveAttrs };
    await requestJson(this.sprite.client, endpoints.copyFile, this.#body(json, options));
  }

  async chmod(path: string, mode: number, options: ChmodOptions = {}): Promise<void> {
    const json = { path, mode: mode.toString(8).padStart(4, '0'), recursive: options.recursive };
    await requestJson(this.sprite.client, endpoints.chmodFile, this.#body(json, options));
  }

  /** Changes owner and group, by id or name; usually with `asRoot`. */
  async chown(path: string, { uid, gid, recursive, ...options }: ChownOptions): Promise<void> {
    await requestJson(
      this.sprite.client,
      endpoints.chownFile,
      this.#body({ path, uid, gid, recursive }, options),
    );
  }

  /** Follows what changes below paths. */
  watch(
    paths: string | readonly string[],
    { recursive = false, signal }: WatchOptions = {},
  ): Promise<SocketStream<FileEvent>> {
    const { baseURL, token } = this.sprite.client;
    const url = endpointURL(baseURL, endpoints.watchFiles, { name: this.sprite.name });
    const list = typeof paths === 'string' ? [paths] : paths;
    const subscribe = { type: 'subscribe', paths: list, recursive, workingDir: this.workingDir };
    return SocketStream.open({ url, token, signal }, parseFileEvent, subscribe);
  }

  /** The SHA-256 of a file, or of its first `length` bytes. */
  async checksum(
    path: string,
    options: ChecksumOptions = {},
  ): Promise<{ readonly size: number; readonly sha256: string }> {
    const query = this.#query({ path, length: options.length }, options);
    return requestJson(
      this.sprite.client,
      endpoints.checksumFile,
      this.#options({ query, timeoutMs: 0, signal: options.signal }),
    );
  }

  /** A directory as a tar archive, to be read as a stream; files of `smallerThan` bytes and more are left out. */
  async pack(path: string, options: PackOptions = {}): Promise<Response> {
    const query = this.#query({ path, smallerThan: options.smallerThan }, options);
    return this.#request(endpoints.packFiles, { query, accept: '*/*', timeoutMs: 0, signal: options.signal });
  }

  /** Unpacks a tar archive into a directory. */
  async unpack(
    path: string,
    archive: FileContent,
    options: CallOptions & RootOptions = {},
  ): Promise<Unpacked> {
    const query = this.#query({ path }, options);
    const { signal } = options;
    return requestJson(
      this.sprite.client,
      endpoints.unpackFiles,
      this.#options({ query, ...toBody(archive), timeoutMs: 0, signal }),
    );
  }

  async #list(fields: QueryFields, options: CallOptions & RootOptions): Promise<FileInfo[]> {
    const query = this.#query(fields, options);
    const request = this.#options({ query, timeoutMs: 0, signal: options.signal });
    const { entries } = await requestJson(this.sprite.client, endpoints.listFiles, request);
    return entries.map(({ modTime, mode, ...entry }) => ({
      ...entry,
      mode: Number.parseInt(mode, 8),
      modTime: new Date(modTime),
    }));
  }

  #query(fields: QueryFields, { asRoot }: RootOptions): URLSearchParams {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...fields, workingDir: this.workingDir, asRoot })) {
      if (value !== undefined) query.set(name, String(value));
    }
    return query;
  }

  #body(json: object, { asRoot, signal }: RootOptions & CallOptions): RequestOptions {
    return this.#options({ json: { ...json, workingDir: this.workingDir, asRoot }, timeoutMs: 0, signal });
  }

  #options(options: RequestOptions): RequestOptions {
    return { ...options, params: { name: this.sprite.name } };
  }

  #request(endpoint: Parameters<typeof request>[1], options: RequestOptions): Promise<Response> {
    return request(this.sprite.client, endpoint, this.#options(options));
  }
}

function toBody(content: FileContent): Pick<RequestOptions, 'bytes' | 'upload'> {
  if (typeof content === 'string') return { bytes: new TextEncoder().encode(content) };
  return content instanceof Uint8Array ? { bytes: new Uint8Array(content) } : { upload: content };
}
