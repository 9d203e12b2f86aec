import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { formatTarEnd, formatTarHeader, tarPadding } from '@sprites/contract/files';
import type { SpriteFilesystem } from '@sprites/sdk';
import { CliError } from '../cli-error.ts';
import type { CopyMeter } from './copy-meter.ts';
import { type LocalEntry, walkLocal } from './local-tree.ts';
import { below } from './place.ts';
import { withRetries } from './retry.ts';
import { largeBytes, toStream, uploadFile } from './upload-file.ts';

const chunkBytes = 256 * 1024;
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Copies a directory into the sprite: large files one by one, all else in one stream. */
export async function uploadTree(
  files: SpriteFilesystem,
  { source, dest }: { readonly source: string; readonly dest: string },
  meter: CopyMeter,
): Promise<void> {
  const large: LocalEntry[] = [];
  let smallBytes = 0;
  for await (const entry of walkLocal(source)) {
    if (isLarge(entry)) large.push(entry);
    else if (entry.type === 'file') smallBytes += entry.stats.size;
  }
  for (const { path, name } of large) {
    await uploadFile(files, { source: decoder.decode(path), dest: below(dest, decoder.decode(name)) }, meter);
  }
  meter.begin(source, smallBytes);
  await withRetries(() => sendSmall(files, { source, dest }, meter));
}

/** One whose name is no UTF-8 cannot be named in a request, and goes with the small ones. */
function isLarge({ type, stats, name, path }: LocalEntry): boolean {
  return type === 'file' && stats.size >= largeBytes && isText(name) && isText(path);
}

function isText(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString('utf8')).equals(bytes);
}

async function sendSmall(
  files: SpriteFilesystem,
  { source, dest }: { readonly source: string; readonly dest: string },
  meter: CopyMeter,
): Promise<void> {
  const hash = createHash('sha256');
  let counted = 0;
  async function* read(): AsyncGenerator<Uint8Array> {
    for await (const chunk of inChunks(
      packLocal(source, (bytes) => {
        counted += bytes;
        meter.add(bytes);
      }),
    )) {
      hash.update(chunk);
      yield chunk;
    }
  }
  try {
    const { sha256 } = await files.unpack(dest, toStream(read()));
    if (sha256 === hash.digest('hex')) return;
  } catch (error) {
    meter.takeBack(counted);
    throw error;
  }
  throw new CliError(`${source} did not arrive as it was sent; copy it again`);
}

async function* packLocal(source: string, onBytes: (count: number) => void): AsyncGenerator<Uint8Array> {
  for await (const entry of walkLocal(source)) {
    if (isLarge(entry)) continue;
    const { type, name, stats, target } = entry;
    const size = type === 'file' ? stats.size : 0;
    yield formatTarHeader({
      type,
      path: name,
      mode: stats.mode & 0o7777,
      size,
      modTime: Math.floor(stats.mtimeMs / 1000),
      ...(target === undefined ? {} : { target }),
    });
    if (size === 0) continue;
    for await (const chunk of readExactly(entry.path, size)) {
      onBytes(chunk.length);
      yield chunk;
    }
    yield tarPadding(size);
  }
  yield formatTarEnd();
}

/** Reads as many bytes as the header has promised. */
async function* readExactly(path: Buffer, size: number): AsyncGenerator<Uint8Array> {
  await using file = await open(path);
  for (let at = 0; at < size; ) {
    const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, size - at));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0)
      throw new CliError(`${path.toString()} became shorter while it was copied; copy it again`);
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Joins small pieces, of which a file makes at least two, into large ones. */
async function* inChunks(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let size = 0;
  for await (const piece of pieces) {
    waiting.push(piece);
    size += piece.length;
    if (size < chunkBytes) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(waiting);
}
