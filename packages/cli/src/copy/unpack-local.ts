import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fchmodSync,
  futimesSync,
  lutimesSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { splitArchivePath, type TarEntry, type TarPiece, TarReader } from '@sprites/contract/files';
import { CliError } from '../cli-error.ts';
import type { LocalDirectories } from './local-directories.ts';

/** What became of an archive. */
export type UnpackedHere = {
  /** symlinks that were left out because they lead out of the directory */
  readonly skipped: readonly string[];
};

/** The header with the checksum is shorter. */
const heldBytes = 4096;

/** A file being filled under a name of its own. */
type OpenFile = {
  readonly fd: number;
  readonly temporary: Buffer;
  readonly path: Buffer;
  readonly entry: TarEntry;
  left: number;
};

/**
 * Unpacks an archive from a sprite, which may be anybody's: nothing is written outside, through no symlink, and no
 * symlink is made that leads out. Setuid bits are dropped. Throws when the archive is not whole. Calls to the file system
 * are synchronous: a small file takes seven, each of which would otherwise cost ten times what it does.
 */
export async function unpackHere(
  directories: LocalDirectories,
  bytes: AsyncIterable<Uint8Array>,
  onBytes: (count: number) => void,
): Promise<UnpackedHere> {
  const unpacking = new Unpacking(directories, onBytes);
  try {
    for await (const chunk of bytes) unpacking.take(chunk);
    unpacking.finish();
  } finally {
    unpacking.close();
  }
  return { skipped: unpacking.skipped };
}

class Unpacking {
  readonly skipped: string[] = [];
  readonly #directories: LocalDirectories;
  readonly #onBytes: (count: number) => void;
  readonly #reader = new TarReader();
  readonly #hash = createHash('sha256');
  readonly #entered: { readonly parts: readonly string[]; readonly entry: TarEntry }[] = [];
  /** the last bytes, not hashed yet since they may be the header with the checksum, and how many came before them */
  #held = Buffer.alloc(0);
  #hashed = 0;
  #file: OpenFile | undefined;
  #isChecked = false;

  constructor(directories: LocalDirectories, onBytes: (count: number) => void) {
    this.#directories = directories;
    this.#onBytes = onBytes;
  }

  take(chunk: Uint8Array): void {
    this.#held = Buffer.concat([this.#held, chunk]);
    for (const piece of this.#reader.read(chunk)) this.#takePiece(piece);
    if (this.#isChecked) return;
    const end = Math.max(0, this.#held.length - heldBytes);
    this.#hash.update(this.#held.subarray(0, end));
    this.#held = this.#held.subarray(end);
    this.#hashed += end;
  }

  finish(): void {
    if (!this.#reader.isOver || !this.#isChecked || this.#file !== undefined) {
      throw new CliError('the sprite broke off before all was copied; copy it again');
    }
    for (const { parts, entry } of this.#entered.reverse()) {
      const path = this.#directories.pathOf(parts);
      chmodSync(path, entry.mode & 0o777);
      utimesSync(path, entry.modTime, entry.modTime);
    }
  }

  close(): void {
    if (this.#file === undefined) return;
    closeSync(this.#file.fd);
    rmSync(this.#file.temporary, { force: true });
  }

  #takePiece(piece: TarPiece): void {
    if (piece.type === 'entry') this.#begin(piece.entry);
    else if (piece.type === 'data') this.#write(piece.bytes);
    else this.#check(piece.text, piece.end);
  }

  #check(comment: string, end: number): void {
    if (this.#isChecked || end < this.#hashed) throw damaged();
    const sum = this.#hash.update(this.#held.subarray(0, end - this.#hashed)).digest('hex');
    if (comment !== `sha256:${sum}`)
      throw new CliError('the files did not arrive as they were sent; copy them again');
    this.#isChecked = true;
  }

  #begin(entry: TarEntry): void {
    const parts = splitArchivePath(entry.path);
    if (entry.type === 'directory') {
      this.#directories.enter(parts);
      this.#entered.push({ parts, entry });
      return;
    }
    const name = parts.at(-1);
    if (name === undefined) throw damaged();
    this.#directories.enter(parts.slice(0, -1));
    const path = this.#directories.pathOf(parts);
    if (entry.type === 'symlink') this.#link(parts, path, entry);
    else this.#create(path, entry);
  }

  #create(path: Buffer, entry: TarEntry): void {
    const temporary = Buffer.concat([path, Buffer.from(`.${randomBytes(4).toString('hex')}.part`)]);
    const fd = openSync(temporary, 'wx', 0o600);
    this.#file = { fd, temporary, path, entry, left: entry.size };
    if (entry.size === 0) this.#end(this.#file);
  }

  #write(bytes: Uint8Array): void {
    const file = this.#file;
    if (file === undefined) throw damaged();
    for (let at = 0; at < bytes.length; ) at += writeSync(file.fd, bytes, at);
    this.#onBytes(bytes.length);
    file.left -= bytes.length;
    if (file.left === 0) this.#end(file);
  }

  #end({ fd, temporary, path, entry }: OpenFile): void {
    fchmodSync(fd, entry.mode & 0o777);
    futimesSync(fd, entry.modTime, entry.modTime);
    this.#file = undefined;
    closeSync(fd);
    renameSync(temporary, path);
  }

  #link(parts: readonly string[], path: Buffer, entry: TarEntry): void {
    const target = Buffer.from(entry.target ?? []);
    if (leadsOut(parts, target.toString('latin1'))) {
      this.skipped.push(path.toString());
      return;
    }
    rmSync(path, { force: true });
    symlinkSync(target, path);
    lutimesSync(path, entry.modTime, entry.modTime);
  }
}

function damaged(): CliError {
  return new CliError('the archive of the sprite is damaged; copy it again');
}

/** Whether a symlink at this place points out of the top directory. */
function leadsOut(parts: readonly string[], target: string): boolean {
  if (target.startsWith('/') || target.includes('\\')) return true;
  const steps = target.split('/').filter((part) => part !== '' && part !== '.');
  const up = steps.findIndex((part) => part !== '..');
  const ups = up < 0 ? steps.length : up;
  // Behind a name, which may be a symlink itself, `..` can be anywhere.
  return ups > parts.length - 1 || steps.slice(ups).includes('..');
}
