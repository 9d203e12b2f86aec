import { closeSync, fstatSync, readSync } from 'node:fs';
import { SpriteError } from '@sprites/contract/errors';
import { createTwoFilesPatch } from 'diff';
import { type Bytes, type Entry, type LayeredTree, withDirectory } from './layered-tree.ts';
import { openFile } from './open-files.ts';

const largestBytes = 1024 * 1024;
const longestMs = 5000;
const contextLines = 3;

/** A unified diff of the text file that the path names in two trees; empty when it is the same in both. */
export function patchFile(before: LayeredTree, after: LayeredTree, path: readonly Bytes[]): string {
  const entries = [before, after].map((tree) => findFile(tree, path));
  const name = Buffer.from(path.join('/'), 'latin1').toString();
  if (entries.every((entry) => entry === undefined)) {
    throw new SpriteError('path_not_found', `neither disk has /${name}`);
  }
  const [old = '', now = ''] = entries.map((entry) => (entry === undefined ? '' : readText(entry, name)));
  if (old === now && entries.every((entry) => entry !== undefined)) return '';
  const [oldName, newName] = entries.map((entry, index) =>
    entry === undefined ? '/dev/null' : quote(`${index === 0 ? 'a' : 'b'}/${name}`),
  );
  const options = { context: contextLines, timeout: longestMs };
  const patch = createTwoFilesPatch(oldName ?? '', newName ?? '', old, now, undefined, undefined, options);
  if (patch === undefined) {
    throw new SpriteError(
      'not_text',
      `the two /${name} differ in too many lines for a patch; read both instead`,
    );
  }
  // the library begins with a line of its own
  return patch.slice(patch.indexOf('--- '));
}

/** A name with line ends must not become lines of the patch. */
function quote(name: string): string {
  return /[\x00-\x1f\x7f"\\]/.test(name) ? JSON.stringify(name) : name;
}

/** Directories only become longer paths here, so a path of a request never gets too long for the kernel. */
function findFile(tree: LayeredTree, path: readonly Bytes[]): Entry | undefined {
  let entry: Entry | undefined = tree.root;
  for (const name of path) {
    if (entry?.stats.kind !== 'directory') return undefined;
    entry = withDirectory(entry, 1, (directory) => directory && tree.find(directory, name));
  }
  return entry;
}

function readText(entry: Entry, name: string): string {
  const { kind, sizeBytes } = entry.stats;
  if (kind !== 'file') {
    throw new SpriteError('not_text', `/${name} is a ${kind.replace('_', ' ')}; only files have a patch`);
  }
  if (sizeBytes > largestBytes) {
    const message = `/${name} has ${sizeBytes} bytes; a patch is made of files of at most ${largestBytes}`;
    throw new SpriteError('not_text', message);
  }
  const bytes = readAll(entry);
  try {
    if (bytes.includes(0)) throw new TypeError('a NUL is in it');
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new SpriteError('not_text', `/${name} is binary; only text files have a patch`, { cause });
  }
}

function readAll(entry: Entry): Buffer {
  const fd = openFile(entry);
  try {
    const bytes = Buffer.alloc(fstatSync(fd).size);
    let length = 0;
    for (let got = -1; got !== 0 && length < bytes.length; length += got) {
      got = readSync(fd, bytes, length, bytes.length - length, length);
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}
