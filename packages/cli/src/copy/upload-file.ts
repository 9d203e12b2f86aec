import { createHash } from 'node:crypto';
import { createReadStream, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { SpriteFilesystem } from '@sprites/sdk';
import { CliError } from '../cli-error.ts';
import type { CopyMeter } from './copy-meter.ts';
import { hashFile } from './local-checksum.ts';
import { below, lastName } from './place.ts';
import { withRetries } from './retry.ts';

/** Files of this size and larger are copied one by one, and can be resumed; smaller ones together. */
export const largeBytes = 16 * 1024 * 1024;

/** Copies one file into the sprite, with mode and time, and compares checksums. A large one goes on where an attempt before ended. */
export async function uploadFile(
  files: SpriteFilesystem,
  { source, dest }: { readonly source: string; readonly dest: string },
  meter: CopyMeter,
): Promise<void> {
  const stats = await stat(source);
  meter.begin(source, stats.size);
  const upload = new Upload(files, source, stats, meter);
  if (stats.size < largeBytes) await upload.send(dest);
  else await upload.sendLarge(dest);
}

class Upload {
  readonly #files: SpriteFilesystem;
  readonly #source: string;
  readonly #stats: Stats;
  readonly #meter: CopyMeter;

  constructor(files: SpriteFilesystem, source: string, stats: Stats, meter: CopyMeter) {
    this.#files = files;
    this.#source = source;
    this.#stats = stats;
    this.#meter = meter;
  }

  async send(dest: string): Promise<void> {
    const sum = await withRetries(() => this.#write(dest, undefined));
    await this.#compare(dest, sum);
  }

  /** The bytes gather under a name of their own, by which the next attempt finds them. */
  async sendLarge(dest: string): Promise<void> {
    const part = this.#partOf(dest);
    const sum = await withRetries(async () => this.#write(part, await this.#findStart(part)));
    await this.#compare(part, sum);
    await this.#files.rename(part, dest);
  }

  #partOf(dest: string): string {
    const { size, mtimeMs } = this.#stats;
    const identity = createHash('sha256')
      .update(`${this.#source}\n${size}\n${mtimeMs}`)
      .digest('hex')
      .slice(0, 12);
    const at = dest.lastIndexOf('/');
    return below(
      at < 0 ? '.' : dest.slice(0, at) || '/',
      `.${lastName(dest).slice(0, 200)}.${identity}.part`,
    );
  }

  /** How much of the file is in the sprite already and is right. */
  async #findStart(part: string): Promise<number> {
    if (!(await this.#files.exists(part))) return 0;
    const { size, sha256 } = await this.#files.checksum(part);
    if (size > this.#stats.size) return 0;
    const ours = (await hashFile(this.#source, size)).digest('hex');
    if (ours !== sha256) return 0;
    this.#meter.skip(size);
    return size;
  }

  /** Sends the file from an offset on, and tells the checksum of the whole. */
  async #write(path: string, offset: number | undefined): Promise<string> {
    const start = offset ?? 0;
    const hash = await hashFile(this.#source, start);
    let sent = 0;
    const meter = this.#meter;
    async function* read(source: string): AsyncGenerator<Uint8Array> {
      for await (const chunk of meter.count(createReadStream(source, { start, highWaterMark: 256 * 1024 }))) {
        hash.update(chunk);
        sent += chunk.length;
        yield chunk;
      }
    }
    const { mode, mtime } = this.#stats;
    try {
      await this.#files.writeFile(path, toStream(read(this.#source)), {
        mode: mode & 0o7777,
        modTime: mtime,
        ...(offset === undefined ? {} : { offset }),
      });
    } catch (error) {
      meter.takeBack(sent + start);
      throw error;
    }
    return hash.digest('hex');
  }

  async #compare(path: string, ours: string): Promise<void> {
    const { size, sha256 } = await this.#files.checksum(path);
    if (sha256 === ours && size === this.#stats.size) return;
    const changed = (await stat(this.#source)).mtimeMs !== this.#stats.mtimeMs;
    throw new CliError(
      changed
        ? `${this.#source} changed while it was copied; copy it again`
        : `${this.#source} did not arrive as it was sent; copy it again`,
    );
  }
}

/** A stream for the SDK of what a generator yields. */
export function toStream(bytes: AsyncIterable<Uint8Array>): globalThis.ReadableStream<Uint8Array> {
  const stream: ReadableStream<Uint8Array> = Readable.toWeb(Readable.from(bytes, { objectMode: false }));
  // Node's and the web's are the same class under two declarations.
  return stream as globalThis.ReadableStream<Uint8Array>;
}
