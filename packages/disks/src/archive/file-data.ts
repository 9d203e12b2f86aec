import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { mostChunkBytes } from '@sprites/contract/export';
import { findData } from '@sprites/linux';

/** A piece of a file's content, or of a hole where there was content before. */
export type Piece =
  | { readonly at: number; readonly bytes: Buffer }
  | { readonly at: number; readonly length: number; readonly hole: true };

/** Hears of a part of a file that cannot be read. */
export type OnUnreadable = (at: number, error: unknown) => void;

const smallestBytes = 64 * 1024;
const pageBytes = 4096;
const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The content of a file in pieces, without its holes. What cannot be read is left out. */
export async function* readPieces(path: Buffer, onUnreadable: OnUnreadable): AsyncGenerator<Piece> {
  await using file = await open(path, flags);
  for await (const { start, end } of dataRanges(file, onUnreadable)) {
    for (let at = start; at < end; at += mostChunkBytes) {
      const bytes = await readRange(file, at, Math.min(mostChunkBytes, end - at), onUnreadable);
      if (bytes !== undefined && bytes.length > 0) yield { at, bytes };
    }
  }
}

/** What a file has that the one before has not: content, and holes where there was content. */
export async function* readDifferences(
  path: Buffer,
  before: Buffer,
  onUnreadable: OnUnreadable,
): AsyncGenerator<Piece> {
  await using file = await open(path, flags);
  await using old = await open(before, flags);
  const { size } = await file.stat();
  let at = 0;
  for await (const { start, end } of dataRanges(file, onUnreadable)) {
    yield* holesBetween(old, at, start);
    yield* changesBetween(file, old, { start, end, onUnreadable });
    at = end;
  }
  yield* holesBetween(old, at, size);
}

/** What was content in the old file is a hole now. */
async function* holesBetween(old: FileHandle, start: number, end: number): AsyncGenerator<Piece> {
  if (start < end && (await hasData(old, start, end))) yield { at: start, length: end - start, hole: true };
}

async function* changesBetween(
  file: FileHandle,
  old: FileHandle,
  range: { readonly start: number; readonly end: number; readonly onUnreadable: OnUnreadable },
): AsyncGenerator<Piece> {
  for (let at = range.start; at < range.end; at += mostChunkBytes) {
    const length = Math.min(mostChunkBytes, range.end - at);
    const bytes = await readRange(file, at, length, range.onUnreadable);
    const oldBytes = await readRange(old, at, length, () => {});
    if (bytes !== undefined) yield* different(at, bytes, oldBytes);
  }
}

function* different(at: number, bytes: Buffer, before: Buffer | undefined): Generator<Piece> {
  for (let from = 0; from < bytes.length; from += smallestBytes) {
    const part = bytes.subarray(from, from + smallestBytes);
    const old = before?.subarray(from, from + smallestBytes);
    if (old === undefined || !part.equals(old)) yield { at: at + from, bytes: part };
  }
}

async function* dataRanges(
  file: FileHandle,
  onUnreadable: OnUnreadable,
): AsyncGenerator<{ readonly start: number; readonly end: number }> {
  const { size } = await file.stat();
  let from = 0;
  while (from < size) {
    const range = await findData(file.fd, from).catch((error: unknown) => {
      onUnreadable(from, error);
      return undefined;
    });
    if (range === undefined) return;
    yield { start: range.start, end: Math.min(range.end, size) };
    from = range.end;
  }
}

/** Where that cannot be told, there may be. */
async function hasData(file: FileHandle, from: number, end: number): Promise<boolean> {
  const range = await findData(file.fd, from).catch(() => ({ start: from }));
  return range !== undefined && range.start < end;
}

async function readRange(
  file: FileHandle,
  at: number,
  length: number,
  onUnreadable: OnUnreadable,
): Promise<Buffer | undefined> {
  const buffer = Buffer.allocUnsafe(length);
  try {
    return buffer.subarray(0, await fill(file, buffer, at));
  } catch (error) {
    onUnreadable(at, error);
    return readByPages(file, buffer, at);
  }
}

/** Reads what is readable around a damaged place; the rest is zeros. */
async function readByPages(file: FileHandle, buffer: Buffer, at: number): Promise<Buffer | undefined> {
  buffer.fill(0);
  let end = 0;
  for (let from = 0; from < buffer.length; from += pageBytes) {
    const page = buffer.subarray(from, from + pageBytes);
    const bytes = await fill(file, page, at + from).catch(() => 0);
    if (bytes > 0) end = from + bytes;
  }
  return end === 0 ? undefined : buffer.subarray(0, end);
}

async function fill(file: FileHandle, buffer: Buffer, at: number): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, at + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}
